/* files.c - static files.
 *
 * The path is walked one decoded segment at a time, each opened relative to the directory before it and without
 * following symbolic links. So there is no path to normalise and nothing to escape by: a segment is a name, and a
 * name with a slash, a dot in front or nothing in it is not served. What is reached is a regular file, or nothing.
 *
 * Known weakness: opening and reading block the loop's thread while the disk is slow. Local files are nearly always
 * in the page cache; a network file system does not belong behind this.
 */
#include "server/files.h"
#include "server/mime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 256 }; /* NAME_MAX of Linux, with the terminator */

static bool to_name(struct swale_span segment, char name[NAME_SIZE])
{
    if (segment.size == 0 || segment.size >= NAME_SIZE || segment.data[0] == '.' ||
        memchr(segment.data, '/', segment.size) || memchr(segment.data, '\0', segment.size))
        return false;
    memcpy(name, segment.data, segment.size);
    name[segment.size] = '\0';
    return true;
}

/* What cannot be opened is not there, whatever the system's reason; unless it is the server that is short of
 * something. */
static int open_error(void)
{
    bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    return short_of ? SWALE_ERR_NO_MEMORY : SWALE_ERR_NOT_FOUND;
}

/* Opens one name. A FIFO does not block the open, and a terminal does not become ours; what is neither file nor
 * directory is refused by whoever looks at it next. */
static int open_name(int directory, const char *name, int flags)
{
    int file = openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return file >= 0 ? file : open_error();
}

/* Walks to the directory of the last segment: a descriptor of its own, or an error. */
static int walk(int root, const struct swale__path *path, size_t depth)
{
    int at = fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (at < 0)
        return open_error();
    for (size_t i = depth; i + 1 < path->count; i++) {
        char name[NAME_SIZE];
        int next = to_name(path->segments[i], name) ? open_name(at, name, O_PATH | O_DIRECTORY) : SWALE_ERR_NOT_FOUND;
        close(at);
        if (next < 0)
            return next;
        at = next;
    }
    return at;
}

static int open_file(int root, const struct swale__path *path, size_t depth, struct stat *status)
{
    char name[NAME_SIZE];
    struct swale_span last = path->segments[path->count - 1];
    if (last.size == 0)
        last = swale_text("index.html");
    if (!to_name(last, name))
        return SWALE_ERR_NOT_FOUND;
    int directory = walk(root, path, depth);
    if (directory < 0)
        return directory;
    int file = open_name(directory, name, O_RDONLY);
    close(directory);
    if (file < 0)
        return file;
    if (fstat(file, status) == 0 && (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode)))
        return file;
    close(file);
    return SWALE_ERR_NOT_FOUND;
}

/* RFC 9110 section 13.1.2: weak comparison with any of a list, or "*". */
static bool is_known(const struct swale_request *request, struct swale_span etag)
{
    struct swale_list_cursor cursor = { 0 };
    struct swale_span element;
    while (swale_list_next(request->fields, request->field_count, "If-None-Match", &cursor, &element)) {
        if (element.size > 2 && memcmp(element.data, "W/", 2) == 0)
            element = swale_span(element.data + 2, element.size - 2);
        if (swale_span_equal(element, etag) || swale_span_equal(element, swale_text("*")))
            return true;
    }
    return false;
}

/* A directory asked for without its slash: links in its index would lead astray. The location is the path as it was
 * sent, which has no empty segment and so cannot be taken for another host ("//host/"). */
static int redirect(struct swale_exchange *exchange)
{
    const struct swale_request *request = &exchange->request;
    char *location = swale__arena_alloc(&exchange->arena, request->target.size + 2);
    if (!location)
        return SWALE_ERR_NO_MEMORY;
    int size =
        snprintf(location, request->target.size + 2, "%.*s/%s%.*s", (int)request->path.size, request->path.data,
                 request->query.size ? "?" : "", (int)request->query.size, request->query.data);
    struct swale_field field = { swale_text("Location"), swale_span(location, (size_t)size) };
    struct swale__answer answer = { .status = 301, .fields = &field, .field_count = 1, .file = -1 };
    swale__exchange_answer(exchange, &answer, 0);
    return exchange->answered ? 0 : SWALE_ERR_NOT_FOUND;
}

static int answer_file(struct swale_exchange *exchange, int file, const struct stat *status, struct swale_span name)
{
    char etag[64];
    int size = snprintf(etag, sizeof etag, "\"%" PRIxMAX "-%" PRIxMAX ".%lx\"", (uintmax_t)status->st_size,
                        (uintmax_t)status->st_mtim.tv_sec, (unsigned long)status->st_mtim.tv_nsec);
    struct swale_field fields[] = {
        { swale_text("ETag"), swale_span(etag, (size_t)size) },
        { swale_text("Cache-Control"), swale_text("no-cache") }, /* may be kept, but is asked about each time */
        { swale_text("X-Content-Type-Options"), swale_text("nosniff") },
        { swale_text("Content-Type"), swale_text(swale__mime_type(name)) },
    };
    bool known = is_known(&exchange->request, fields[0].value);
    bool head = swale_span_equal(exchange->request.method, swale_text("HEAD"));
    struct swale__answer answer = {
        .status = known ? 304 : 200,
        .fields = fields,
        .field_count = known ? 2 : 4,
        .body_size = known ? 0 : (uint64_t)status->st_size,
        .file = known || head || status->st_size == 0 ? -1 : file,
    };
    int error = swale__exchange_answer(exchange, &answer, 0);
    if (error || answer.file < 0)
        close(file);
    return 0;
}

int swale__files_answer(struct swale_exchange *exchange, const struct swale__path *path, size_t depth)
{
    struct stat status;
    if (path->count > SWALE__SEGMENTS_MAX)
        return SWALE_ERR_NOT_FOUND;
    int file = open_file(exchange->route->directory, path, depth, &status);
    if (file < 0)
        return file;
    struct swale_span last = path->segments[path->count - 1];
    if (S_ISREG(status.st_mode))
        return answer_file(exchange, file, &status, last.size ? last : swale_text("index.html"));
    close(file);
    return last.size ? redirect(exchange) : SWALE_ERR_NOT_FOUND;
}

int swale__files_open(const char *directory)
{
    int opened = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
}
