#include "cli/supervisor.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PAUSE_MS     = 100,
    PAUSE_MS_MAX = 5'000,
    YOUNG_MS     = 10'000, /* who lives longer than this starts again at once */
    STOP_STEP_MS = 50,
    LOG_MODE     = 0600,
};

static void signals_of_ours(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
}

status supervisor_block_children(struct error *reterr)
{
    sigset_t set;
    signals_of_ours(&set);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0) return STATUS_OK;
    return fail(reterr, STATUS_INTERNAL, "sigprocmask: %m");
}

void program_add(struct program *program, const char *argument)
{
    ASSERT(program->argument_count < PROGRAM_ARGUMENTS_MAX);
    if (program->argument_count == 0) {
        program->arguments[program->argument_count++] =
            mem_dup(program->path, strlen(program->path));
    }
    program->arguments[program->argument_count++] = mem_dup(argument, strlen(argument));
}

/* The child gets a clean signal mask, its log as output, and a process group of its own: Ctrl-C is
 * for us, who then drain in order. */
static int spawn(struct program *program)
{
    sigset_t none;
    (void)sigemptyset(&none);
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, program->log,
                                           O_WRONLY | O_CREAT | O_APPEND, LOG_MODE);
    (void)posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int rc = posix_spawn(&program->pid, program->path, &actions, &attributes, program->arguments,
                         environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return rc;
}

status supervisor_start(struct supervisor *, struct program *program, struct error *reterr)
{
    errno = spawn(program);
    if (errno != 0) {
        program->pid = 0;
        return fail(reterr, STATUS_UNAVAILABLE, "start %s: %m", program->path);
    }
    program->started_ms = clock_mono_ms();
    program->restart_ms = 0;
    return STATUS_OK;
}

static void say(const struct supervisor *supervisor, const struct program *program,
                const char *what)
{
    if (supervisor->say) supervisor->say(program, what, supervisor->context);
}

static void note_end(struct supervisor *supervisor, pid_t pid, int wait_status)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct program *program = &supervisor->programs[i];
        if (program->pid != pid) continue;
        program->pid = 0;
        program->exit_code =
            WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
        if (supervisor->is_stopping) return;
        if (program->exit_code == PROCESS_EXIT_CONFIG) {
            supervisor->refused = program;
            say(supervisor, program, "refuses its configuration");
            return;
        }
        int64_t now_ms = clock_mono_ms();
        bool is_young  = now_ms - program->started_ms < YOUNG_MS;
        if (!is_young || program->pause_ms == 0) program->pause_ms = PAUSE_MS;
        program->restart_ms = now_ms + program->pause_ms;
        program->pause_ms =
            program->pause_ms * 2 < PAUSE_MS_MAX ? program->pause_ms * 2 : PAUSE_MS_MAX;
        say(supervisor, program, "died; starting it again");
        return;
    }
}

static void reap(struct supervisor *supervisor)
{
    int wait_status = 0;
    for (pid_t pid = waitpid(-1, &wait_status, WNOHANG); pid > 0;
         pid       = waitpid(-1, &wait_status, WNOHANG)) {
        note_end(supervisor, pid, wait_status);
    }
}

static void restart_due(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct program *program = &supervisor->programs[i];
        if (program->restart_ms == 0 || clock_mono_ms() < program->restart_ms) continue;
        program->restarts++;
        if (supervisor_start(supervisor, program, NULL) == STATUS_OK) continue;
        program->restart_ms = clock_mono_ms() + PAUSE_MS_MAX;
        say(supervisor, program, "cannot be started");
    }
}

/* A restart that is due sooner than the caller would wait. */
static int64_t shorten_wait(const struct supervisor *supervisor, int64_t wait_ms)
{
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < supervisor->count; i++) {
        int64_t due_ms = supervisor->programs[i].restart_ms;
        if (due_ms == 0 || due_ms - now_ms >= wait_ms) continue;
        wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    }
    return wait_ms;
}

/* The signal that came within `wait_ms`, or 0. */
static int wait_signal(int64_t wait_ms)
{
    sigset_t set;
    signals_of_ours(&set);
    const struct timespec limit = {.tv_sec  = wait_ms / 1000,
                                   .tv_nsec = (wait_ms % 1000) * 1'000'000};
    int number                  = sigtimedwait(&set, NULL, &limit);
    return number > 0 ? number : 0;
}

bool supervisor_turn(struct supervisor *supervisor, int64_t wait_ms)
{
    int number = wait_signal(shorten_wait(supervisor, wait_ms));
    reap(supervisor);
    if (number == SIGTERM || number == SIGINT) return false;
    restart_due(supervisor);
    return true;
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Waits for the end of one program; kills it when the time is over or we were asked twice. */
static void await_end(struct supervisor *supervisor, struct program *program, int64_t until_ms)
{
    while (program->pid != 0) {
        int number  = wait_signal(STOP_STEP_MS);
        bool is_end = number == SIGTERM || number == SIGINT || clock_mono_ms() >= until_ms;
        if (is_end && program->pid != 0) (void)kill(program->pid, SIGKILL);
        reap(supervisor);
    }
}

bool supervisor_stop(struct supervisor *supervisor, int64_t grace_ms)
{
    bool is_clean           = true;
    int64_t until_ms        = clock_mono_ms() + grace_ms;
    supervisor->is_stopping = true;
    reap(supervisor);
    for (size_t i = 0; i < supervisor->count; i++) {
        struct program *program = &supervisor->programs[i];
        if (program->pid == 0) continue;
        (void)kill(program->pid, SIGTERM);
        await_end(supervisor, program, until_ms);
        is_clean = is_clean && program->exit_code == 0;
        say(supervisor, program, "stopped");
    }
    return is_clean;
}

void supervisor_done(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct program *program = &supervisor->programs[i];
        for (int a = 0; a < program->argument_count; a++) free(program->arguments[a]);
        program->argument_count = 0;
    }
}
