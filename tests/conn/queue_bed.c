#include "queue_bed.h"

#include "test.h"

int queue_bed_flush(struct queue_bed *bed)
{
    size_t left;
    return swale__outq_flush(&bed->queue, bed->ends[0], &left);
}

static void on_written(void *context, size_t size)
{
    struct queue_bed *bed = context;
    swale__outq_written(&bed->queue, bed->loop, size);
    assert_true(queue_bed_flush(bed) >= 0);
}

static void on_data(void *context, char *data, size_t size)
{
    (void)context, (void)data, (void)size;
}

static void on_end(void *context)
{
    (void)context;
}

static void on_fail(void *context, int error)
{
    (void)context, (void)error;
}

void queue_bed_begin(struct queue_bed *bed, struct swale_loop *loop, size_t capacity, bool in_flight)
{
    static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };
    struct swale__pair_options options = { .capacity = capacity, .in_flight = in_flight };
    *bed = (struct queue_bed){ .loop = loop };
    assert_int_equal(swale__pair(bed->ends, loop, &options), 0);
    swale__stream_use(bed->ends[0], &user, bed);
    recorder_begin(&bed->far, bed->ends[1]);
}

void queue_bed_end(struct queue_bed *bed)
{
    swale__stream_close(bed->ends[0], false);
    swale__outq_clear(&bed->queue, bed->loop);
    assert_int_equal(bed->queue.size, 0);
    assert_int_equal(bed->queue.held, 0);
    recorder_end(&bed->far);
}
