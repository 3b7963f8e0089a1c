/* processes_test.c - half a minute, by the clock on the wall, of a server that is killed, stopped and cut off; a
 * thousand real clients, half of them through the relay (TCP), half straight to the server's socket.
 *
 *     clients and relay, one loop  ==TCP==> relay ==TCP==> server, a process
 *                                  =========socket=======>
 *
 * A killed server is followed by another, which finds on the board what was acknowledged. The delays are shortened by
 * the clients' options. */
#include "test.h"

#include "crowd.h"
#include "directory.h"
#include "relay.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 20, CALM_SECONDS = 60 };

struct scene {
    struct swale_loop *loop;
    struct relay relay;
    struct crowd crowd;
    struct board *board;
    int board_fd;
    pid_t server; /* 0: none */
    char directory[256], socket[300], straight[320], url[64];
};

/* ---- Servers --------------------------------------------------------------------------------------------- */

static const char *program;

static void start_server(struct scene *scene)
{
    posix_spawn_file_actions_t actions;
    char *arguments[] = { (char *)(uintptr_t)program, scene->socket, NULL };
    char *environment[] = { NULL };
    assert_int_equal(scene->server, 0);
    atomic_store(&scene->board->port, 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, scene->board_fd, STDIN_FILENO), 0);
    assert_int_equal(posix_spawn(&scene->server, program, &actions, NULL, arguments, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
}

static void kill_server(struct scene *scene)
{
    if (scene->server == 0)
        return;
    assert_int_equal(kill(scene->server, SIGKILL), 0);
    assert_int_equal(waitpid(scene->server, NULL, 0), scene->server);
    scene->server = 0;
}

static int reach(void *context, struct swale__stream **up)
{
    struct scene *scene = context;
    char address[32];
    uint16_t port = atomic_load(&scene->board->port);
    if (port == 0)
        return SWALE_ERR_NOT_CONNECTED;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    return swale__dial(up, scene->loop, address, NULL, NULL);
}

/* ---- Time ------------------------------------------------------------------------------------------------ */

static void pass(struct scene *scene, uint64_t ms)
{
    for (uint64_t until = swale_loop_now(scene->loop) + ms, now; (now = swale_loop_now(scene->loop)) < until;)
        assert_true(swale_loop_step(scene->loop, (int)(until - now)) >= 0);
}

static bool pass_until(struct scene *scene, bool (*condition)(const struct crowd *crowd))
{
    for (int i = 0; i < CALM_SECONDS * 10 && !condition(&scene->crowd); i++)
        pass(scene, 100);
    return condition(&scene->crowd);
}

/* ---- Scenes ---------------------------------------------------------------------------------------------- */

static bool all_open(const struct crowd *crowd)
{
    return crowd->open == MEMBERS;
}

static void begin_crowd(struct scene *scene)
{
    static const struct swale_limits limits = { .handshake_ms = 2000, .ping_after_ms = 700, .gone_after_ms = 500 };
    scene->crowd = (struct crowd){
        .loop = scene->loop,
        .board = scene->board,
        .options = { .url = scene->url,
                     .limits = &limits,
                     .proxy = "",
                     .reconnect = { .first_ms = 100, .max_ms = 1000, .healthy_ms = 2000 } },
        .other_url = scene->straight,
        .dice = { 1 },
        .talking = true,
        .every_ms = 400,
    };
    crowd_begin(&scene->crowd);
}

static void begin(struct scene *scene)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    *scene = (struct scene){ 0 };
    scene->board_fd = memfd_create("board", MFD_CLOEXEC);
    assert_true(scene->board_fd > 0);
    assert_int_equal(ftruncate(scene->board_fd, sizeof *scene->board), 0);
    scene->board = mmap(NULL, sizeof *scene->board, PROT_READ | PROT_WRITE, MAP_SHARED, scene->board_fd, 0);
    assert_true(scene->board != MAP_FAILED);
    test_directory(scene->directory, sizeof scene->directory);
    snprintf(scene->socket, sizeof scene->socket, "%s/server", scene->directory);
    snprintf(scene->straight, sizeof scene->straight, "ws+unix:%s:/", scene->socket);
    assert_int_equal(swale_loop_new(&scene->loop, NULL), 0);
    scene->relay =
        (struct relay){ .loop = scene->loop, .dice = { 1 }, .reach = reach, .reach_later = true, .context = scene };
    relay_listen(&scene->relay, "127.0.0.1:0");
    snprintf(scene->url, sizeof scene->url, "ws://%s/", swale__listener_address(scene->relay.listener));
    start_server(scene);
    begin_crowd(scene);
    assert_true(pass_until(scene, all_open));
}

static void end(struct scene *scene)
{
    crowd_free(&scene->crowd);
    relay_done(&scene->relay);
    swale_loop_step(scene->loop, 0);
    swale_loop_free(scene->loop);
    kill_server(scene);
    munmap(scene->board, sizeof *scene->board);
    close(scene->board_fd);
    unlink(scene->socket);
    assert_int_equal(rmdir(scene->directory), 0);
}

static void restart(struct scene *scene, uint32_t ms)
{
    kill_server(scene);
    pass(scene, ms);
    start_server(scene);
}

static void stop_for_a_while(struct scene *scene, uint32_t ms)
{
    assert_int_equal(kill(scene->server, SIGSTOP), 0);
    pass(scene, ms);
    assert_int_equal(kill(scene->server, SIGCONT), 0);
}

static void overload(struct scene *scene, uint32_t ms)
{
    scene->board->retry_after_s = 1;
    scene->board->unavailable = true;
    restart(scene, 50);
    pass(scene, ms);
    scene->board->unavailable = false;
}

static void hang_up(struct scene *scene, uint32_t ms)
{
    scene->board->hanging_up = true;
    pass(scene, ms / 2);
    scene->board->hanging_up = false;
}

static void cut(struct scene *scene, uint32_t ms)
{
    for (int i = 0; i < 4; i++) {
        relay_harm(&scene->relay, (enum fault)dice_roll(&scene->relay.dice, FAULTS), 300);
        pass(scene, ms / 4);
    }
}

static void stall_relay(struct scene *scene, uint32_t ms)
{
    relay_freeze(&scene->relay, true);
    pass(scene, ms);
    relay_freeze(&scene->relay, false);
}

static void test_processes(void **state)
{
    static void (*const deeds[])(struct scene * scene, uint32_t ms) = { restart,  stop_for_a_while, cut,
                                                                        overload, hang_up,          stall_relay };
    struct scene scene;
    (void)state;
    begin(&scene);
    uint64_t until = swale_loop_now(scene.loop) + SECONDS * 1000;
    for (unsigned i = 0; swale_loop_now(scene.loop) < until; i++) { /* each of them, then any */
        unsigned which = i < COUNT_OF(deeds) ? i : dice_roll(&scene.relay.dice, COUNT_OF(deeds));
        deeds[which](&scene, 200 + dice_roll(&scene.relay.dice, 2000));
        pass(&scene, dice_roll(&scene.relay.dice, 1000));
    }
    relay_harm(&scene.relay, FAULT_HEAL, 1000);
    scene.crowd.talking = false;
    assert_true(pass_until(&scene, crowd_content));
    assert_true(pass_until(&scene, all_open));
    crowd_close(&scene.crowd);
    assert_true(pass_until(&scene, crowd_over));
    crowd_judge(&scene.crowd);
    end(&scene);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes),
    };
    assert_int_equal(count, 2);
    program = arguments[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
