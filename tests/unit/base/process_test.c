/* Signals, crashes and exit codes, each in a child of its own: the parent reads what is left. */
#include "base/assert.h"
#include "base/process.h"
#include "support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `body` in a child; returns its wait status and what it wrote to standard error. */
static int run_child(void (*body)(void), char *output, size_t size)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        (void)dup2(fds[1], STDOUT_FILENO);
        body();
        _exit(0);
    }
    (void)close(fds[1]);
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len<size - 1; len += got> 0 ? (size_t)got : 0) {
        got = read(fds[0], output + len, size - 1 - len);
    }
    output[len] = '\0';
    (void)close(fds[0]);
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    return result;
}

static void stop_after_reload(void)
{
    ASSERT(process_block_signals(NULL) == STATUS_OK);
    enum process_signal got = PROCESS_STOP;
    ASSERT(process_wait(1, &got, NULL) == STATUS_OK);
    ASSERT(got == PROCESS_QUIET);
    ASSERT(raise(SIGHUP) == 0);
    ASSERT(process_wait(-1, &got, NULL) == STATUS_OK);
    ASSERT(got == PROCESS_RELOAD);
    ASSERT(raise(SIGHUP) == 0);
    ASSERT(raise(SIGTERM) == 0);
    ASSERT(process_wait_for_stop(NULL) == STATUS_OK);
    _exit(42);
}

static void second_stop(void)
{
    ASSERT(process_block_signals(NULL) == STATUS_OK);
    ASSERT(raise(SIGTERM) == 0);
    ASSERT(process_wait_for_stop(NULL) == STATUS_OK);
    ASSERT(raise(SIGTERM) == 0);
}

static void broken_pipe(void)
{
    ASSERT(process_block_signals(NULL) == STATUS_OK);
    ASSERT(raise(SIGPIPE) == 0);
    _exit(42);
}

static void test_signals(void **state)
{
    (void)state;
    char output[4096];
    int result = run_child(stop_after_reload, output, sizeof output);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 42);
    result = run_child(second_stop, output, sizeof output);
    assert_true(WIFSIGNALED(result));
    assert_int_equal(WTERMSIG(result), SIGTERM);
    result = run_child(broken_pipe, output, sizeof output);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 42);
}

static void failing_assertion(void)
{
    process_install_crash_log();
    ASSERT(1 + 1 == 3);
}

static void crash(void)
{
    process_install_crash_log();
    (void)raise(SIGABRT);
}

static void test_crashes(void **state)
{
    (void)state;
    char output[12288];
    int result = run_child(failing_assertion, output, sizeof output);
    assert_true(WIFSIGNALED(result));
    assert_int_equal(WTERMSIG(result), SIGABRT);
    assert_non_null(strstr(output, "process_test.c:"));
    assert_non_null(strstr(output, "assertion failed: 1 + 1 == 3\n"));
    assert_non_null(strstr(output, "unit_base_process_test")); /* a frame of the backtrace */
    assert_null(strstr(output, "crashed by signal"));

    result = run_child(crash, output, sizeof output);
    assert_true(WIFSIGNALED(result));
    assert_int_equal(WTERMSIG(result), SIGABRT);
    assert_non_null(strstr(output, "crashed by signal 06\n"));
    assert_non_null(strstr(output, "unit_base_process_test"));
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(process_exit_code(STATUS_OK, NULL), 0);
    assert_int_equal(process_exit_code(STATUS_INVALID_ARGUMENT, NULL), 78);
    assert_int_equal(process_exit_code(STATUS_DATA_LOSS, NULL), 74);
    assert_int_equal(process_exit_code(STATUS_RESOURCE_EXHAUSTED, NULL), 74);
    assert_int_equal(process_exit_code(STATUS_UNAVAILABLE, NULL), 70);
    assert_int_equal(process_exit_code(STATUS_INTERNAL, &(struct error){}), 70);
}

static void log_an_error(void)
{
    struct error error = {};
    (void)fail(&error, STATUS_INVALID_ARGUMENT, "tutti.yaml:3:1: unknown key 'portt'");
    _exit(process_exit_code(STATUS_INVALID_ARGUMENT, &error));
}

static void test_error_is_logged(void **state)
{
    (void)state;
    char output[4096];
    int result = run_child(log_an_error, output, sizeof output);
    assert_int_equal(WEXITSTATUS(result), 78);
    assert_non_null(strstr(output, "\"error.message\":\"tutti.yaml:3:1: unknown key 'portt'\""));
}

static void test_quota(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int cpus;
    } rows[] = {
        {"max 100000\n", 0},     {"100000 100000\n", 1},
        {"50000 100000\n", 1},   {"150000 100000", 2},
        {"200000 100000\n", 2},  {"200001 100000\n", 3},
        {"9900000 100000\n", 4}, {"", 0},
        {"100000", 0},           {"100000 0\n", 0},
        {"0 100000\n", 0},       {"9999999999999 1\n", 0},
        {"-1 100000\n", 0},      {"x 100000\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(cpu_quota_parse(str_from(rows[i].text)), rows[i].cpus);
    }
}

static void test_cpu_count(void **state)
{
    (void)state;
    assert_in_range(process_cpu_count(), 1, PROCESS_CPUS_MAX);
    assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), (process_cpu_count() + 1) / 2); /* for NNG */
    assert_int_equal(sysconf(_SC_PAGESIZE) % 4096, 0); /* other names go to libc */
    assert_int_equal(sysconf(-1), -1);
}

static void test_notify(void **state)
{
    (void)state;
    process_notify("READY=1"); /* nobody asked */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* The kernel chooses an abstract name when only the family is bound (unix(7), autobind). */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char name[64];
    (void)snprintf(name, sizeof name, "@%.*s", (int)(size - sizeof(sa_family_t)) - 1,
                   address.sun_path + 1);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    process_notify("READY=1");
    char text[32] = "";
    assert_int_equal(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 7);
    assert_string_equal(text, "READY=1");
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals),         cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_exit_codes),      cmocka_unit_test(test_quota),
        cmocka_unit_test(test_error_is_logged), cmocka_unit_test(test_cpu_count),
        cmocka_unit_test(test_notify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
