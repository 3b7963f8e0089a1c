/* Posts and bells: the ways into a loop from other threads and from signal handlers.
 *
 * A stack that any thread pushes to by compare-and-swap and the loop takes as a whole, then reverses: tasks run
 * in the order of their pushes, nothing is ever popped singly, and so no ABA. Only the push that finds the
 * stack empty wakes the loop: whoever comes later knows that a wake is under way. The loop's own thread never
 * wakes, because a turn looks at the stack before it sleeps.
 *
 * A bell is a flag of its own and one for the loop, which says that it is worth going through the bells. */
#include "io/loop.h"

#include "base/memory.h"

#include <errno.h>

int swale_loop_post(struct swale_loop *loop, void (*run)(void *argument), void *argument)
{
    struct swale__task *task = swale__alloc(loop->allocator, sizeof *task);
    if (!task)
        return -ENOMEM;
    task->run = run;
    task->argument = argument;
    task->next = atomic_load_explicit(&loop->tasks, memory_order_relaxed);
    bool was_empty;
    do
        was_empty = task->next == NULL; /* the task may be gone once it is pushed */
    while (!atomic_compare_exchange_weak_explicit(&loop->tasks, &task->next, task, memory_order_release,
                                                  memory_order_relaxed));
    if (was_empty && !swale__loop_here(loop))
        loop->backend->ops->wake(loop->backend);
    return 0;
}

static struct swale__task *take_in_order(struct swale_loop *loop)
{
    struct swale__task *newest = atomic_exchange_explicit(&loop->tasks, NULL, memory_order_acquire);
    struct swale__task *oldest = NULL;
    while (newest) {
        struct swale__task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static int run_tasks(struct swale_loop *loop)
{
    if (!atomic_load_explicit(&loop->tasks, memory_order_relaxed))
        return 0;
    int count = 0;
    struct swale__task *next;
    for (struct swale__task *task = take_in_order(loop); task; task = next) {
        struct swale__task copy = *task;
        next = task->next;
        swale__free(loop->allocator, task, sizeof *task);
        copy.run(copy.argument);
        count++;
    }
    return count;
}

void swale__posts_drop(struct swale_loop *loop)
{
    struct swale__task *next;
    for (struct swale__task *task = take_in_order(loop); task; task = next) {
        next = task->next;
        swale__free(loop->allocator, task, sizeof *task);
    }
}

void swale__loop_add_bell(struct swale_loop *loop, struct swale__bell *bell)
{
    bell->next = loop->bells;
    loop->bells = bell;
}

void swale__loop_remove_bell(struct swale_loop *loop, struct swale__bell *bell)
{
    if (loop->next_bell == bell)
        loop->next_bell = bell->next;
    for (struct swale__bell **link = &loop->bells; *link; link = &(*link)->next) {
        if (*link == bell) {
            *link = bell->next;
            return;
        }
    }
}

void swale__loop_ring(struct swale_loop *loop, struct swale__bell *bell)
{
    if (atomic_exchange(&bell->rung, true))
        return; /* whoever rang before wakes the loop, if it has not already */
    atomic_store(&loop->rung, true);
    loop->backend->ops->wake(loop->backend);
}

static int run_bells(struct swale_loop *loop)
{
    if (!atomic_load_explicit(&loop->rung, memory_order_relaxed))
        return 0;
    atomic_store(&loop->rung, false); /* before the bells are looked at: a ring in between is seen next turn */
    int count = 0;
    loop->next_bell = loop->bells;
    while (loop->next_bell) {
        struct swale__bell *bell = loop->next_bell;
        loop->next_bell = bell->next;
        if (atomic_exchange(&bell->rung, false)) {
            bell->run(bell);
            count++;
        }
    }
    return count;
}

bool swale__posts_pending(const struct swale_loop *loop)
{
    return atomic_load_explicit(&loop->tasks, memory_order_relaxed) ||
           atomic_load_explicit(&loop->rung, memory_order_relaxed);
}

int swale__posts_run(struct swale_loop *loop)
{
    int count = run_tasks(loop);
    return count + run_bells(loop);
}
