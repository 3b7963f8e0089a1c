#include "app/connect/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool history_path(char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length = -1;
    if (state && state[0] == '/')
        length = snprintf(path, size, "%s/swale/history", state);
    else if (home && home[0] == '/')
        length = snprintf(path, size, "%s/.local/state/swale/history", home);
    return length > 0 && (size_t)length < size;
}

/* Makes the directories above the file, for its owner only. */
static void make_directories(const char *path)
{
    char directory[HISTORY_PATH_MAX];
    snprintf(directory, sizeof directory, "%s", path);
    for (char *slash = strchr(directory + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(directory, 0700);
        *slash = '/';
    }
}

int history_add(const char *path, const char *line)
{
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int fd = open(path, flags, 0600);
    if (fd < 0 && errno == ENOENT) {
        make_directories(path);
        fd = open(path, flags, 0600);
    }
    if (fd < 0)
        return -errno;
    int error = dprintf(fd, "%s\n", line) < 0 ? -errno : 0;
    close(fd);
    return error;
}

/* Writes the last lines anew and puts them in the place of the file at once. */
static void shorten(const char *path, const char *kept)
{
    char fresh[HISTORY_PATH_MAX + 8];
    snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
    int fd = mkstemp(fresh);
    if (fd < 0)
        return;
    bool good = dprintf(fd, "%s", kept) >= 0;
    if (close(fd) < 0 || !good || rename(fresh, path) < 0)
        unlink(fresh);
}

/* The whole file, to be freed; NULL when there is none. */
static char *read_file(const char *path)
{
    enum { LARGEST = 16 * 1024 * 1024 };
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = NULL;
    struct stat about;
    if (fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) && about.st_size < LARGEST) {
        text = calloc(1, (size_t)about.st_size + 1);
        size_t size = text ? fread(text, 1, (size_t)about.st_size, file) : 0;
        if (text)
            text[size] = 0;
    }
    fclose(file);
    return text;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (const char *end = strchr(text, '\n'); end; end = strchr(end + 1, '\n'))
        lines++;
    return lines;
}

static void enter_lines(History *list, char *text)
{
    HistEvent event;
    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        *end = 0;
        if (*text)
            history(list, &event, H_ENTER, text);
    }
}

void history_load(History *list, const char *path)
{
    char *text = read_file(path);
    if (!text)
        return;
    size_t lines = count_lines(text);
    char *kept = text;
    for (size_t n = lines; n > HISTORY_LINES; n--)
        kept = strchr(kept, '\n') + 1;
    /* Rarely, since another program may be adding a line just then, which would be lost. */
    if (lines > (size_t)4 * HISTORY_LINES)
        shorten(path, kept);
    enter_lines(list, kept);
    free(text);
}
