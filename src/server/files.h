/* files.h - answering with a file below a directory. */
#ifndef SWALE_SERVER_FILES_H
#define SWALE_SERVER_FILES_H

#include "server/exchange.h"

/* Answers with the file that the segments from `depth` on name below the route's directory. 0, or the reason to
 * refuse. */
int swale__files_answer(struct swale_exchange *exchange, const struct swale__path *path, size_t depth);

/* Opens a directory to be served. Its descriptor, or -errno. */
int swale__files_open(const char *directory);

#endif
