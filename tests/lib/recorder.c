#include "recorder.h"

#include "test.h"

#include <stdlib.h>

void recorder_close(struct recorder *recorder, bool abort)
{
    if (recorder->stream)
        swale__stream_close(recorder->stream, abort);
    recorder->stream = NULL;
}

static void close_as_told(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->close_count; i++)
        recorder_close(recorder->close[i], false);
    recorder->close_count = 0;
}

static void pump(struct recorder *recorder)
{
    if (recorder->full || recorder->stuck || recorder->in_flight > 0 || recorder->out_size == 0)
        return;
    /* In three parts, one of them empty, so that gathering is always tried. */
    size_t half = recorder->out_size / 2;
    struct iovec parts[] = { { (char *)recorder->out, half },
                             { NULL, 0 },
                             { (char *)recorder->out + half, recorder->out_size - half } };
    ptrdiff_t written = swale__stream_write(recorder->stream, parts, 3);
    recorder->writes++;
    if (written == SWALE__IN_FLIGHT) {
        recorder->in_flight = recorder->out_size;
    } else if (written < 0) {
        recorder->failure = (int)written;
        recorder->out_size = 0;
    } else {
        recorder->out += written;
        recorder->out_size -= (size_t)written;
        recorder->full = recorder->out_size > 0;
    }
}

/* No callback after the last, and none to a stream that has been closed. */
static struct recorder *check_alive(void *context)
{
    struct recorder *recorder = context;
    assert_non_null(recorder->stream);
    assert_int_equal(recorder->failure, 0);
    return recorder;
}

static void on_data(void *context, char *data, size_t size)
{
    struct recorder *recorder = check_alive(context);
    assert_true(size > 0);
    assert_int_equal(recorder->ends, 0);
    if (recorder->size + size > recorder->room) {
        recorder->room = 2 * (recorder->size + size);
        recorder->heard = realloc(recorder->heard, recorder->room);
        assert_non_null(recorder->heard);
    }
    memcpy(recorder->heard + recorder->size, data, size);
    memset(data, 0xee, size); /* ours to overwrite */
    recorder->size += size;
    recorder->runs++;
    if (size > recorder->largest)
        recorder->largest = size;
    if (recorder->pause_on_data)
        swale__stream_pause(recorder->stream);
    recorder->pause_on_data = false;
    close_as_told(recorder);
}

static void on_written(void *context, size_t size)
{
    struct recorder *recorder = check_alive(context);
    assert_true(size <= recorder->in_flight);
    recorder->in_flight -= size;
    recorder->out += size;
    recorder->out_size -= size;
    if (size == 0)
        recorder->full = false;
    pump(recorder);
    close_as_told(recorder);
}

static void on_end(void *context)
{
    struct recorder *recorder = check_alive(context);
    assert_int_equal(recorder->ends, 0);
    recorder->ends++;
    close_as_told(recorder);
}

static void on_fail(void *context, int error)
{
    struct recorder *recorder = check_alive(context);
    assert_true(error < 0);
    recorder->failure = error;
    close_as_told(recorder);
}

void recorder_begin(struct recorder *recorder, struct swale__stream *stream)
{
    static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };
    *recorder = (struct recorder){ .stream = stream };
    swale__stream_use(stream, &user, recorder);
    swale__stream_resume(stream);
}

void recorder_send(struct recorder *recorder, const void *data, size_t size)
{
    assert_int_equal(recorder->out_size, 0);
    recorder->out = data;
    recorder->out_size = size;
    pump(recorder);
}

void recorder_end(struct recorder *recorder)
{
    recorder_close(recorder, false);
    free(recorder->heard);
    *recorder = (struct recorder){ 0 };
}
