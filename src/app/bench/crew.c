#include "app/bench/crew.h"

#include "app/bench/progress.h"
#include "app/bench/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRESS_MS = 250 };

/* Between the order to start and the start: time for the workers to read it, and for the server to be done with the
 * connections that opened last. */
enum { START_DELAY_NS = 50000000 };

struct member {
    pid_t pid; /* 0 once it was waited for */
    int commands;
};

struct crew {
    const struct plan *plan;
    struct board *board;
    struct member members[PLAN_WORKERS_MAX];
    uint32_t alive;
    int news, signals;
    bool started;
    struct crew_end *end;
    struct progress progress;
};

/* ---- Starting --------------------------------------------------------------------------------------- */

static sigset_t awaited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    return set;
}

/* Ctrl-C at a terminal reaches the children too; it is the parent that tells them to stop. The pipes to the others
 * are closed, so that each of them sees the end of its own when the parent is gone. */
static _Noreturn void become_worker(struct crew *crew, uint32_t index, int commands)
{
    sigset_t set = awaited();
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    close(crew->signals);
    for (uint32_t i = 0; i <= index; i++)
        close(crew->members[i].commands);
    _exit(worker_run(crew->plan, crew->board, index, commands, crew->news));
}

static int start_member(struct crew *crew, uint32_t index)
{
    struct member *member = &crew->members[index];
    int ends[2];
    if (pipe(ends) < 0)
        return -errno;
    member->commands = ends[1];
    member->pid = fork();
    if (member->pid == 0)
        become_worker(crew, index, ends[0]);
    int error = member->pid < 0 ? -errno : 0;
    close(ends[0]);
    if (error < 0) {
        close(ends[1]);
        member->pid = 0;
    } else {
        crew->alive++;
    }
    return error;
}

static void kill_all(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->plan->workers; i++)
        if (crew->members[i].pid > 0)
            kill(crew->members[i].pid, SIGKILL);
}

static int open_channels(struct crew *crew)
{
    sigset_t set = awaited();
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    crew->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    crew->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return crew->signals < 0 || crew->news < 0 ? -errno : 0;
}

/* ---- Leading ---------------------------------------------------------------------------------------- */

static void command_all(struct crew *crew, enum worker_order order)
{
    unsigned char byte = (unsigned char)order;
    for (uint32_t i = 0; i < crew->plan->workers; i++)
        if (crew->members[i].pid > 0 && write(crew->members[i].commands, &byte, 1) < 0)
            continue; /* it has just ended: SIGCHLD will say so */
}

static bool all_ready(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->plan->workers; i++)
        if (atomic_load(&crew->board->seats[i].stage) < BOARD_READY)
            return false;
    return true;
}

static void start_when_ready(struct crew *crew)
{
    if (crew->started || crew->end->interrupted || !all_ready(crew))
        return;
    crew->started = true;
    crew->progress.started = ticker_now() + START_DELAY_NS;
    atomic_store(&crew->board->start, crew->progress.started);
    command_all(crew, WORKER_START);
}

static void bury(struct crew *crew, pid_t pid, int status)
{
    for (uint32_t i = 0; i < crew->plan->workers; i++) {
        struct member *member = &crew->members[i];
        if (member->pid != pid)
            continue;
        /* The others do not wait for one that is gone. */
        atomic_store(&crew->board->seats[i].stage, BOARD_DONE);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            crew->end->dead++;
        close(member->commands);
        member->pid = 0;
        crew->alive--;
    }
}

static void bury_dead(struct crew *crew)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        bury(crew, pid, status);
}

static void on_signal(struct crew *crew, uint32_t number)
{
    if (number == SIGCHLD)
        bury_dead(crew);
    else if (crew->end->interrupted)
        kill_all(crew);
    else {
        crew->end->interrupted = true;
        command_all(crew, WORKER_STOP);
    }
}

static void read_signals(struct crew *crew)
{
    struct signalfd_siginfo info;
    while (read(crew->signals, &info, sizeof info) == (ssize_t)sizeof info)
        on_signal(crew, info.ssi_signo);
}

static void lead(struct crew *crew)
{
    struct pollfd watched[] = { { .fd = crew->signals, .events = POLLIN }, { .fd = crew->news, .events = POLLIN } };
    while (crew->alive > 0) {
        uint64_t count;
        poll(watched, 2, PROGRESS_MS);
        if (read(crew->news, &count, sizeof count) > 0 || !crew->started)
            start_when_ready(crew);
        read_signals(crew);
        progress_show(&crew->progress, ticker_now());
    }
    progress_clear(&crew->progress);
}

int crew_run(const struct plan *plan, struct board *board, struct crew_end *end)
{
    static struct crew crew; /* one in a process */
    crew = (struct crew){ .plan = plan, .board = board, .end = end };
    progress_init(&crew.progress, plan, board);
    int error = open_channels(&crew);
    for (uint32_t i = 0; error == 0 && i < plan->workers; i++)
        error = start_member(&crew, i);
    if (error < 0)
        kill_all(&crew);
    lead(&crew);
    close(crew.signals);
    close(crew.news);
    return error;
}
