#include "tool-adapter/processes/child_process.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SAFE_FD         = 10,      /* above what the child's descriptors are */
    PIPE_SIZE       = 1 << 20, /* bytes; what an unprivileged process may have */
    PIECE_SIZE      = 64 << 10,
    PIECES_PER_TURN = 16,
};

struct child_process {
    struct child_process_options options;
    pid_t pid; /* 0: it is over */
    int pid_fd, input, output, words;
    struct loop_watch *end_watch, *input_watch, *output_watch, *words_watch;
    struct loop_timer patience; /* after SIGTERM */
    struct buf unread;          /* what it has not read yet, from `sent` on */
    size_t sent;
};

/* --- what it writes --------------------------------------------------------------------------- */

/* False: it is at its end. */
static bool read_some(struct child_process *child, int fd, void (*take)(str, void *))
{
    char *piece = mem_alloc(PIECE_SIZE);
    ssize_t len = 1;
    for (int i = 0; i < PIECES_PER_TURN && len > 0; i++) {
        len = read(fd, piece, PIECE_SIZE);
        if (len <= 0) break;
        take((str){.ptr = piece, .len = (size_t)len}, child->options.context);
    }
    bool is_open = len > 0 || (len < 0 && errno == EAGAIN);
    free(piece);
    return is_open;
}

static void on_words(unsigned, void *context)
{
    struct child_process *child = context;
    if (read_some(child, child->words, child->options.said)) return;
    loop_watch_remove(TAKE(child->words_watch));
}

/* Who says nothing any more is of no use, whatever else it does. */
static void on_output(unsigned, void *context)
{
    struct child_process *child = context;
    if (read_some(child, child->output, child->options.came)) return;
    loop_watch_remove(TAKE(child->output_watch));
    child_process_stop(child);
}

/* --- what it reads ---------------------------------------------------------------------------- */

static void close_input(struct child_process *child)
{
    loop_watch_remove(TAKE(child->input_watch));
    if (child->input >= 0) (void)close(child->input);
    child->input = -1;
    buf_clear(&child->unread);
    child->sent = 0;
}

static void push(struct child_process *child)
{
    while (child->sent < child->unread.len) {
        str rest    = str_slice(buf_str(&child->unread), child->sent, child->unread.len);
        ssize_t len = write(child->input, rest.ptr, rest.len);
        if (len < 0 && errno == EAGAIN) break;
        if (len <= 0) {
            close_input(child); /* its end is told by its process */
            return;
        }
        child->sent += (size_t)len;
    }
    bool is_all = child->sent == child->unread.len;
    if (child->sent >= child->unread.len / 2) {
        buf_consume(&child->unread, child->sent);
        child->sent = 0;
    }
    loop_watch_set(child->input_watch, is_all ? 0 : LOOP_WRITE);
}

static void on_input(unsigned events, void *context)
{
    struct child_process *child = context;
    if (events & LOOP_WRITE) {
        push(child);
    } else {
        close_input(child);
    }
}

bool child_process_write(struct child_process *child, str message)
{
    if (child->pid == 0 || !child->input_watch) return false;
    if (!buf_put_str(&child->unread, message)) return false;
    push(child);
    return true;
}

/* --- its end ---------------------------------------------------------------------------------- */

int64_t child_process_id(const struct child_process *child)
{
    return child->pid;
}

static void forget(struct child_process *child)
{
    close_input(child);
    loop_timer_clear(child->options.loop, &child->patience);
    loop_watch_remove(TAKE(child->end_watch));
    loop_watch_remove(TAKE(child->output_watch));
    loop_watch_remove(TAKE(child->words_watch));
    int *const all[] = {&child->pid_fd, &child->output, &child->words};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (*all[i] >= 0) (void)close(*all[i]);
        *all[i] = -1;
    }
}

/* Those it left behind: while it is not waited for its number, and so its group's, is no other's.
 */
static int reap(struct child_process *child)
{
    int wait_status = 0;
    (void)kill(-child->pid, SIGKILL);
    (void)waitpid(child->pid, &wait_status, 0);
    child->pid = 0;
    return wait_status;
}

static void on_end(unsigned, void *context)
{
    struct child_process *child = context;
    if (child->output_watch) (void)read_some(child, child->output, child->options.came);
    if (child->words_watch) (void)read_some(child, child->words, child->options.said);
    int wait_status = reap(child);
    forget(child);
    child->options.ended(wait_status, child->options.context);
}

void child_process_kill(struct child_process *child)
{
    if (child->pid == 0) return;
    (void)kill(-child->pid, SIGKILL);
    (void)kill(child->pid, SIGKILL); /* who has just been made may not be its group's yet */
}

static void on_patience(void *context)
{
    child_process_kill(context);
}

void child_process_stop(struct child_process *child)
{
    struct loop *loop = child->options.loop;
    if (child->pid == 0 || loop_timer_is_set(&child->patience)) return;
    close_input(child);
    (void)kill(-child->pid, SIGTERM);
    loop_timer_set(loop, &child->patience, loop_now_ms(loop) + CHILD_STOP_MS);
}

void child_process_wait(const struct child_process *child, int64_t until_ms)
{
    struct pollfd end = {.fd = child->pid_fd, .events = POLLIN};
    int64_t left_ms   = until_ms - clock_mono_ms();
    if (child->pid == 0 || left_ms <= 0) return;
    while (poll(&end, 1, (int)left_ms) < 0 && errno == EINTR) {
        left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0) return;
    }
}

void child_process_freep(struct child_process **ref)
{
    struct child_process *child = *ref;
    if (!child) return;
    child_process_kill(child);
    if (child->pid != 0) (void)reap(child); /* it was killed: this does not take long */
    forget(child);
    buf_done(&child->unread);
    free(child);
    *ref = NULL;
}

/* --- its beginning ---------------------------------------------------------------------------- */

struct child_ends {
    int input, output, words;
};

static void ends_close(struct child_ends *ends)
{
    if (ends->input >= 0) (void)close(ends->input);
    if (ends->output >= 0) (void)close(ends->output);
    if (ends->words >= 0) (void)close(ends->words);
}

/* Both ends lie above the numbers that the child gets, so none of them is overwritten there. */
static status pipe_new(int *ret_read, int *ret_write, struct error *reterr)
{
    int low[2] = {-1, -1};
    if (pipe2(low, O_CLOEXEC) != 0) return fail(reterr, STATUS_UNAVAILABLE, "pipe: %m");
    *ret_read  = fcntl(low[0], F_DUPFD_CLOEXEC, SAFE_FD);
    *ret_write = fcntl(low[1], F_DUPFD_CLOEXEC, SAFE_FD);
    (void)close(low[0]);
    (void)close(low[1]);
    if (*ret_read >= 0 && *ret_write >= 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "pipe: %m");
}

/* Where its pipes are, and nothing else. */
static void put_pipes(posix_spawn_file_actions_t *actions,
                      const struct child_process_options *options, const struct child_ends *ends)
{
    int reads = options->pipes_at > 0 ? options->pipes_at : STDIN_FILENO;
    int first = options->pipes_at > 0 ? reads + 2 : STDERR_FILENO + 1;
    ASSERT(first <= SAFE_FD && reads != STDERR_FILENO && reads != STDOUT_FILENO);
    if (options->pipes_at > 0) {
        (void)posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    (void)posix_spawn_file_actions_adddup2(actions, ends->input, reads);
    (void)posix_spawn_file_actions_adddup2(actions, ends->output, reads + 1);
    (void)posix_spawn_file_actions_adddup2(actions, ends->words, STDERR_FILENO);
    (void)posix_spawn_file_actions_addclosefrom_np(actions, first);
    (void)posix_spawn_file_actions_addchdir_np(actions, options->folder);
}

static int spawn(const struct child_process_options *options, const struct child_ends *ends,
                 pid_t *ret_pid)
{
    sigset_t none;
    sigset_t ours;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    (void)sigemptyset(&none);
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGPIPE); /* which we ignore */
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &ours);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
    put_pipes(&actions, options, ends);
    int rc =
        posix_spawn(ret_pid, options->path, &actions, &attributes,
                    (char *const *)(uintptr_t)options->arguments, /* which it does not change */
                    (char *const *)(uintptr_t)options->environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return rc;
}

static void limit(pid_t pid, __rlimit_resource_t resource, rlim_t max)
{
    struct rlimit now = {};
    if (prlimit(pid, resource, NULL, &now) != 0) return;
    if (now.rlim_max < max) max = now.rlim_max;
    const struct rlimit new = {.rlim_cur = max, .rlim_max = max};
    (void)prlimit(pid, resource, &new, NULL);
}

static status launch(struct child_process *child, const struct child_ends *ends,
                     struct error *reterr)
{
    const struct child_process_options *options = &child->options;
    errno                                       = spawn(options, ends, &child->pid);
    if (errno != 0) {
        bool is_passing = errno == EAGAIN || errno == ENOMEM;
        child->pid      = 0;
        return fail(reterr, is_passing ? STATUS_UNAVAILABLE : STATUS_FAILED_PRECONDITION,
                    "%.100s cannot be started in %.60s: %m", options->path, options->folder);
    }
    limit(child->pid, RLIMIT_CORE, 0);
    if (options->memory_max > 0) limit(child->pid, RLIMIT_DATA, options->memory_max);
    if (options->file_size_max > 0) limit(child->pid, RLIMIT_FSIZE, options->file_size_max);
    if (options->descriptors_max > 0) limit(child->pid, RLIMIT_NOFILE, options->descriptors_max);
    child->pid_fd = pidfd_open(child->pid, 0);
    if (child->pid_fd >= 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "pidfd_open: %m");
}

static void do_not_block(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static status watch(struct child_process *child, struct error *reterr)
{
    struct loop *loop = child->options.loop;
    do_not_block(child->input);
    do_not_block(child->output);
    do_not_block(child->words);
    (void)fcntl(child->input, F_SETPIPE_SZ, PIPE_SIZE);
    (void)fcntl(child->output, F_SETPIPE_SZ, PIPE_SIZE);
    TRY(loop_watch_add(loop, child->pid_fd, LOOP_READ, on_end, child, &child->end_watch, reterr));
    TRY(loop_watch_add(loop, child->input, 0, on_input, child, &child->input_watch, reterr));
    TRY(loop_watch_add(loop, child->words, LOOP_READ, on_words, child, &child->words_watch,
                       reterr));
    return loop_watch_add(loop, child->output, LOOP_READ, on_output, child, &child->output_watch,
                          reterr);
}

status child_process_start(const struct child_process_options *options,
                           struct child_process **ret_child, struct error *reterr)
{
    CLEANUP(child_process_freep) struct child_process *child = mem_new(1, sizeof *child);
    CLEANUP(ends_close) struct child_ends ends = {.input = -1, .output = -1, .words = -1};
    child->options                             = *options;
    child->unread                              = buf_init(options->unread_max);
    child->patience = (struct loop_timer){.fire = on_patience, .context = child};
    child->pid_fd = child->input = child->output = child->words = -1;
    TRY(pipe_new(&ends.input, &child->input, reterr));
    TRY(pipe_new(&child->output, &ends.output, reterr));
    TRY(pipe_new(&child->words, &ends.words, reterr));
    TRY(launch(child, &ends, reterr));
    TRY(watch(child, reterr));
    *ret_child = TAKE(child);
    return STATUS_OK;
}
