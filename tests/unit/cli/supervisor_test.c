/* The supervisor with small programs of the system. Waits are for ends of processes, not for time.
 */
#include "cmocka.h"

#include "cli/supervisor.h"
#include "support/folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURNS_MAX = 1'000, SAID_MAX = 32 };

struct fixture {
    struct supervisor supervisor;
    struct folder folder;
    char said[SAID_MAX][64];
    size_t said_count;
};

static void on_said(const struct program *program, const char *what, void *context)
{
    struct fixture *it = context;
    if (it->said_count == SAID_MAX) return;
    (void)snprintf(it->said[it->said_count++], sizeof it->said[0], "%s %s", program->name, what);
}

static int begin(void **state)
{
    struct fixture *it     = calloc(1, sizeof *it);
    struct error error     = {};
    it->folder             = folder_new();
    it->supervisor.say     = on_said;
    it->supervisor.context = it;
    assert_int_equal(supervisor_block_children(&error), STATUS_OK);
    *state = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    (void)supervisor_stop(&it->supervisor, 0);
    supervisor_done(&it->supervisor);
    folder_remove(&it->folder);
    free(it);
    return 0;
}

/* A shell program; "exec" in it keeps the process id. */
static struct program *add(struct fixture *it, const char *name, const char *script)
{
    struct program *program = &it->supervisor.programs[it->supervisor.count++];
    program->name           = name;
    (void)snprintf(program->path, sizeof program->path, "/bin/sh");
    (void)snprintf(program->log, sizeof program->log, "%s/%s.log", it->folder.path, name);
    program_add(program, "-c");
    program_add(program, script);
    return program;
}

static void start(struct fixture *it, struct program *program)
{
    struct error error = {};
    if (supervisor_start(&it->supervisor, program, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_true(program->pid > 0);
}

static bool has_said(const struct fixture *it, size_t at, const char *text)
{
    return at < it->said_count && strcmp(it->said[at], text) == 0;
}

static void await_restarts(struct fixture *it, const struct program *program, uint32_t count)
{
    for (int i = 0; program->restarts < count; i++) {
        assert_true(i < TURNS_MAX);
        assert_true(supervisor_turn(&it->supervisor, 1'000));
    }
}

/* What the program wrote, once it is `text`. */
static void await_log(struct fixture *it, const struct program *program, const char *text)
{
    char found[256] = "";
    for (int i = 0; strcmp(found, text) != 0; i++) {
        if (i == 10'000) fail_msg("%s", found);
        FILE *file = fopen(program->log, "re");
        if (!file) continue;
        size_t size = fread(found, 1, sizeof found - 1, file);
        found[size] = '\0';
        (void)fclose(file);
        (void)supervisor_turn(&it->supervisor, 1);
    }
}

static void who_dies_is_started_again_after_growing_pauses(void **state)
{
    struct fixture *it      = *state;
    struct program *program = add(it, "dying", "echo x; exit 7");
    start(it, program);
    int64_t pauses_ms[4];
    for (uint32_t i = 0; i < ARRAY_LEN(pauses_ms); i++) {
        while (program->restart_ms == 0) assert_true(supervisor_turn(&it->supervisor, 1'000));
        assert_int_equal(program->exit_code, 7);
        pauses_ms[i] = program->pause_ms; /* of the time after this one */
        await_restarts(it, program, i + 1);
    }
    assert_int_equal(pauses_ms[0], 200);
    assert_int_equal(pauses_ms[1], 400);
    assert_int_equal(pauses_ms[3], 1'600);
    assert_true(has_said(it, 0, "dying died; starting it again"));
}

static void a_signal_shows_in_the_exit_code(void **state)
{
    struct fixture *it      = *state;
    struct program *program = add(it, "killed", "kill -9 $$");
    start(it, program);
    await_restarts(it, program, 1);
    assert_int_equal(program->exit_code, 128 + SIGKILL);
}

static void what_it_says_goes_to_its_log(void **state)
{
    struct fixture *it      = *state;
    struct program *program = add(it, "talks", "echo out; echo err >&2; exec sleep 100");
    start(it, program);
    await_log(it, program, "out\nerr\n");
}

/* Each handler waits for nothing: the order of the log is the order of the stop. */
static void programs_are_ended_in_order(void **state)
{
    struct fixture *it = *state;
    struct program *a  = add(it, "a", "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done");
    struct program *b  = add(it, "b", "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done");
    start(it, a);
    start(it, b);
    await_log(it, a, "up\n");
    await_log(it, b, "up\n");
    assert_true(supervisor_stop(&it->supervisor, 10'000));
    assert_true(has_said(it, 0, "a stopped") && has_said(it, 1, "b stopped"));
    assert_int_equal(a->pid + b->pid, 0);
    assert_int_equal(a->restart_ms + b->restart_ms, 0);
}

static void who_does_not_listen_is_killed_after_the_grace(void **state)
{
    struct fixture *it = *state;
    struct program *program =
        add(it, "deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done");
    start(it, program);
    await_log(it, program, "up\n");
    assert_false(supervisor_stop(&it->supervisor, 1));
    assert_int_equal(program->exit_code, 128 + SIGKILL);
    assert_int_equal(program->pid, 0);
}

static void a_bad_end_is_not_clean(void **state)
{
    struct fixture *it = *state;
    struct program *program =
        add(it, "sour", "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done");
    start(it, program);
    await_log(it, program, "up\n");
    assert_false(supervisor_stop(&it->supervisor, 10'000));
    assert_int_equal(program->exit_code, 3);
}

static void a_signal_to_us_ends_the_turn(void **state)
{
    struct fixture *it = *state;
    assert_true(supervisor_turn(&it->supervisor, 0));
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_false(supervisor_turn(&it->supervisor, 1'000));
    assert_true(supervisor_turn(&it->supervisor, 0));
}

static void what_is_not_there_cannot_be_started(void **state)
{
    struct fixture *it      = *state;
    struct program *program = add(it, "nothing", "");
    struct error error      = {};
    (void)snprintf(program->path, sizeof program->path, "/nowhere/at/all");
    assert_int_equal(supervisor_start(&it->supervisor, program, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_int_equal(program->pid, 0);
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(who_dies_is_started_again_after_growing_pauses),
        FIXTURE_TEST(a_signal_shows_in_the_exit_code),
        FIXTURE_TEST(what_it_says_goes_to_its_log),
        FIXTURE_TEST(programs_are_ended_in_order),
        FIXTURE_TEST(who_does_not_listen_is_killed_after_the_grace),
        FIXTURE_TEST(a_bad_end_is_not_clean),
        FIXTURE_TEST(a_signal_to_us_ends_the_turn),
        FIXTURE_TEST(what_is_not_there_cannot_be_started),
    };
    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
