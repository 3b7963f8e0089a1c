/* replay.c - stands in for libFuzzer where there is no clang: fuzz_TARGET COUNT INPUTS...
 *
 * Runs every file of directories, and every input of a corpus (see corpus.py), then COUNT inputs made of them: by a
 * generator without chance, so that each run is the same. An input is written to ./fuzz_TARGET.input before it is
 * run, and stays there if it is the last. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 16, INPUTS_MAX = 8192 };

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

/* ---- The input under way, for whoever looks for what went wrong --------------------------------------- */

static char kept_path[4096];
static int kept_file;

static void keep_inputs(const char *program)
{
    const char *name = strrchr(program, '/');
    snprintf(kept_path, sizeof kept_path, "%s.input", name ? name + 1 : program);
    kept_file = open(kept_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (kept_file < 0)
        fail(kept_path);
}

static void run(const uint8_t *data, size_t size)
{
    if (ftruncate(kept_file, 0) != 0 || pwrite(kept_file, data, size, 0) != (ssize_t)size)
        fail(kept_path);
    uint8_t *block = (uint8_t *)fuzz_copy(data, size);
    LLVMFuzzerTestOneInput(block, size);
    free(block);
}

/* ---- Files ---------------------------------------------------------------------------------------------- */

static void add_input(const void *data, size_t size)
{
    require(input_count < INPUTS_MAX && size <= INPUT_MAX);
    inputs[input_count++] = (struct input){ (uint8_t *)fuzz_copy(data, size), size };
}

static void read_file(const char *directory, const char *name)
{
    static uint8_t buffer[INPUT_MAX];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *stream = fopen(path, "rb");
    if (!stream)
        fail(path);
    add_input(buffer, fread(buffer, 1, sizeof buffer, stream));
    fclose(stream);
}

static void read_directory(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        fail(path);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            read_file(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static void read_corpus(const char *path)
{
    static uint8_t buffer[INPUT_MAX];
    uint8_t head[4];
    FILE *stream = fopen(path, "rb");
    if (!stream)
        fail(path);
    while (fread(head, 1, sizeof head, stream) == sizeof head) {
        size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        require(size <= sizeof buffer && fread(buffer, 1, size, stream) == size);
        add_input(buffer, size);
    }
    fclose(stream);
}

static void read_inputs(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        fail(path);
    if (S_ISDIR(about.st_mode))
        read_directory(path);
    else
        read_corpus(path);
}

/* ---- Inputs made of others ------------------------------------------------------------------------------ */

static uint64_t state = 0x9e3779b97f4a7c15;

static size_t choose(size_t below)
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return below == 0 ? 0 : (size_t)(state >> 33) % below;
}

/* Puts a run of another input over what is there, or between it. */
static size_t put_run(uint8_t *data, size_t size, bool insert)
{
    const struct input *from = &inputs[choose(input_count)];
    size_t begin = choose(from->size), run = 1 + choose(32), at = choose(size + 1);
    if (run > from->size - begin)
        run = from->size - begin;
    if (run > INPUT_MAX - size)
        run = INPUT_MAX - size;
    if (insert)
        memmove(data + at + run, data + at, size - at);
    memcpy(data + at, from->data + begin, run);
    return insert ? size + run : at + run > size ? at + run : size;
}

static size_t cut(uint8_t *data, size_t size)
{
    size_t at = choose(size), run = 1 + choose(16);
    if (run > size - at)
        run = size - at;
    memmove(data + at, data + at + run, size - at - run);
    return size - run;
}

static size_t mutate(uint8_t *data, size_t size)
{
    static const uint8_t telling[] = { 0, 1, 0x0a, 0x0d, 0x20, 0x7d, 0x7e, 0x7f, 0x80, 0x88, 0xc2, 0xff };
    size_t what = size > 0 ? choose(5) : 1;
    switch (what) {
    case 0:
        data[choose(size)] ^= (uint8_t)(1u << choose(8));
        return size;
    case 1:
        return put_run(data, size, true);
    case 2:
        return put_run(data, size, false);
    case 3:
        return cut(data, size);
    default:
        data[choose(size)] = telling[choose(sizeof telling)];
        return size;
    }
}

static void run_made(void)
{
    static uint8_t data[2 * INPUT_MAX];
    const struct input *from = &inputs[choose(input_count)];
    size_t size = from->size;
    memcpy(data, from->data, size);
    for (size_t i = 0, steps = 1 + choose(6); i < steps; i++)
        size = mutate(data, size);
    run(data, size);
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: %s COUNT INPUTS...\n", arguments[0]);
        return 2;
    }
    for (int i = 2; i < count; i++)
        read_inputs(arguments[i]);
    if (input_count == 0)
        fail("no inputs");
    keep_inputs(arguments[0]);
    long made = strtol(arguments[1], NULL, 10);
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].data, inputs[i].size);
    for (long i = 0; i < made; i++)
        run_made();
    printf("%zu inputs, and %ld made of them\n", input_count, made);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].data);
    close(kept_file);
    unlink(kept_path);
    return 0;
}
