/* pages.h - the demo's pages, which are part of the program: made from src/app/serve/demo by cmake/SwaleEmbed.cmake.
 */
#ifndef SWALE_APP_PAGES_H
#define SWALE_APP_PAGES_H

#include <stddef.h>

struct page {
    const char *path; /* "/chat.html" */
    const char *type;
    const char *etag; /* quoted, as in the field */
    const unsigned char *data;
    size_t size;
};

extern const struct page pages[];
extern const size_t page_count;

#endif
