#include "tool-adapter/browser/chromium.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tool-adapter/browser/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    COMMANDS_FD = 3, /* where a browser reads, and where it writes */
    ANSWERS_FD  = 4,
    SAFE_FD     = 10, /* above what the child's descriptors are */
    CLOSED_FROM = 5,

    PIPE_SIZE       = 1 << 20, /* bytes; what an unprivileged process may have */
    PIECE_SIZE      = 64 << 10,
    PIECES_PER_TURN = 16,
    UNREAD_MAX      = 128 << 20, /* bytes that wait for it to read them */
    WORDS_MAX       = 1'024,     /* bytes kept of what it says to people */
    ARGUMENTS_MAX   = 48,
    MEMORY_TEXT_MAX = 256,

    FILE_SIZE_MAX   = 512 << 20,
    DESCRIPTORS_MAX = 4'096,
};

struct chromium {
    struct chromium_options options;
    struct browser_folder *folder;
    pid_t pid; /* 0: it is over */
    int pid_fd, commands, answers, words_fd;
    struct loop_watch *end_watch, *write_watch, *answer_watch, *words_watch;
    struct buf unread; /* what it has not read yet, from `sent` on */
    size_t sent;
    char words[WORDS_MAX];
    size_t words_len;
};

/* Every switch takes something away: network, other people's services, things that need a person.
 * Source: chrome/common/chrome_switches.cc, content/public/common/content_switches.cc,
 * services/network/public/cpp/network_switches.cc. */
static const char *const switches[] = {
    "--headless",
    "--remote-debugging-pipe",
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    /* Nobody but our client reaches anything. */
    "--proxy-server=http://nowhere.invalid:1",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--disable-breakpad",
    "--no-pings",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    "--disable-features=MediaRouter,OptimizationHints,Translate,WebTransport,DirectSockets",
    "--mute-audio",
    "--disable-gpu",
    "--disable-dev-shm-usage", /* containers have 64 MiB of it */
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--disable-hang-monitor",
    /* What is behind another window is painted all the same. */
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
};

status chromium_check(const char *path, struct error *reterr)
{
    if (!path || !*path) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "there is no browser: tools.browser.path is empty");
    }
    if (access(path, X_OK) == 0) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "there is no browser: tools.browser.path: %.100s: %m (Debian's package `chromium`)",
                path);
}

/* --- what it says ----------------------------------------------------------------------------- */

static void keep_words(struct chromium *chromium, str piece)
{
    if (piece.len > WORDS_MAX) piece = str_slice(piece, piece.len - WORDS_MAX, piece.len);
    size_t room = WORDS_MAX - chromium->words_len;
    if (piece.len > room) {
        size_t drop = piece.len - room;
        chromium->words_len -= drop;
        memmove(chromium->words, chromium->words + drop, chromium->words_len);
    }
    memcpy(chromium->words + chromium->words_len, piece.ptr, piece.len);
    chromium->words_len += piece.len;
}

static void read_words(unsigned, void *context)
{
    struct chromium *chromium = context;
    char piece[WORDS_MAX];
    ssize_t len = read(chromium->words_fd, piece, sizeof piece);
    if (len > 0) keep_words(chromium, (str){.ptr = piece, .len = (size_t)len});
    if (len > 0 || (len < 0 && errno == EAGAIN)) return;
    loop_watch_remove(TAKE(chromium->words_watch));
}

static void read_answers(unsigned, void *context)
{
    struct chromium *chromium = context;
    char *piece               = mem_alloc(PIECE_SIZE);
    ssize_t len               = 1;
    for (int i = 0; i < PIECES_PER_TURN && len > 0 && chromium->pid != 0; i++) {
        len = read(chromium->answers, piece, PIECE_SIZE);
        if (len <= 0) break;
        chromium->options.came((str){.ptr = piece, .len = (size_t)len}, chromium->options.context);
    }
    free(piece);
    if (len > 0 || (len < 0 && errno == EAGAIN)) return;
    loop_watch_remove(TAKE(chromium->answer_watch)); /* its end is the process's matter */
    chromium_kill(chromium);
}

/* --- what it is told -------------------------------------------------------------------------- */

static void push(struct chromium *chromium)
{
    while (chromium->sent < chromium->unread.len) {
        str rest    = str_slice(buf_str(&chromium->unread), chromium->sent, chromium->unread.len);
        ssize_t len = write(chromium->commands, rest.ptr, rest.len);
        if (len < 0 && errno == EAGAIN) break;
        if (len <= 0) {
            chromium_kill(chromium);
            return;
        }
        chromium->sent += (size_t)len;
    }
    bool is_all = chromium->sent == chromium->unread.len;
    if (is_all) buf_clear(&chromium->unread);
    if (!is_all && chromium->sent >= chromium->unread.len / 2) {
        buf_consume(&chromium->unread, chromium->sent);
        chromium->sent = 0;
    }
    if (is_all) chromium->sent = 0;
    loop_watch_set(chromium->write_watch, is_all ? 0 : LOOP_WRITE);
}

static void can_write(unsigned events, void *context)
{
    struct chromium *chromium = context;
    if (events & LOOP_WRITE) {
        push(chromium);
        return;
    }
    loop_watch_remove(TAKE(chromium->write_watch));
    chromium_kill(chromium);
}

bool chromium_write(struct chromium *chromium, str message)
{
    if (chromium->pid == 0 || !chromium->write_watch) return false;
    if (!buf_put_str(&chromium->unread, message)) return false;
    push(chromium);
    return true;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void forget(struct chromium *chromium)
{
    loop_watch_remove(TAKE(chromium->end_watch));
    loop_watch_remove(TAKE(chromium->write_watch));
    loop_watch_remove(TAKE(chromium->answer_watch));
    loop_watch_remove(TAKE(chromium->words_watch));
    int *const all[] = {&chromium->pid_fd, &chromium->commands, &chromium->answers,
                        &chromium->words_fd};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (*all[i] >= 0) (void)close(*all[i]);
        *all[i] = -1;
    }
}

static void has_ended(unsigned, void *context)
{
    struct chromium *chromium = context;
    int wait_status           = 0;
    if (chromium->words_watch) read_words(LOOP_READ, chromium);
    if (waitpid(chromium->pid, &wait_status, WNOHANG) == 0) return;
    (void)kill(-chromium->pid, SIGKILL); /* those it left behind */
    chromium->pid = 0;
    forget(chromium);
    str words = {.ptr = chromium->words, .len = chromium->words_len};
    chromium->options.ended(words, chromium->options.context);
}

void chromium_kill(struct chromium *chromium)
{
    if (chromium->pid == 0) return;
    (void)kill(-chromium->pid, SIGKILL);
    (void)kill(chromium->pid, SIGKILL); /* who has just been made may not be its group's yet */
}

void chromium_freep(struct chromium **ref)
{
    struct chromium *chromium = *ref;
    if (!chromium) return;
    if (chromium->pid != 0) {
        chromium_kill(chromium);
        (void)waitpid(chromium->pid, NULL, 0); /* it was killed: this does not take long */
    }
    forget(chromium);
    browser_folder_remove(TAKE(chromium->folder), chromium->options.pool);
    buf_done(&chromium->unread);
    free(chromium);
    *ref = NULL;
}

/* --- its beginning ---------------------------------------------------------------------------- */

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

static void do_not_block(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct child_ends {
    int commands, answers, words;
};

static void ends_close(struct child_ends *ends)
{
    if (ends->commands >= 0) (void)close(ends->commands);
    if (ends->answers >= 0) (void)close(ends->answers);
    if (ends->words >= 0) (void)close(ends->words);
}

static int spawn(struct chromium *chromium, const struct child_ends *ends, char *const *arguments,
                 char *const *environment)
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
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, ends->words, STDERR_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, ends->commands, COMMANDS_FD);
    (void)posix_spawn_file_actions_adddup2(&actions, ends->answers, ANSWERS_FD);
    (void)posix_spawn_file_actions_addclosefrom_np(&actions, CLOSED_FROM);
    int rc = posix_spawn(&chromium->pid, chromium->options.path, &actions, &attributes, arguments,
                         environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return rc;
}

static void limit(pid_t pid)
{
    static const struct {
        __rlimit_resource_t resource;
        rlim_t max;
    } rows[] = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, FILE_SIZE_MAX}, {RLIMIT_NOFILE, DESCRIPTORS_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rlimit now = {};
        if (prlimit(pid, rows[i].resource, NULL, &now) != 0) continue;
        rlim_t max              = now.rlim_max < rows[i].max ? now.rlim_max : rows[i].max;
        const struct rlimit new = {.rlim_cur = max, .rlim_max = max};
        (void)prlimit(pid, rows[i].resource, &new, NULL);
    }
}

static status launch(struct chromium *chromium, const struct child_ends *ends, struct error *reterr)
{
    const char *home = browser_folder_path(chromium->folder);
    char profile[FOLDER_PATH_MAX + 32];
    char home_is[FOLDER_PATH_MAX + 32];
    char tmp_is[FOLDER_PATH_MAX + 32];
    (void)snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", home);
    (void)snprintf(home_is, sizeof home_is, "HOME=%s", home);
    (void)snprintf(tmp_is, sizeof tmp_is, "TMPDIR=%s", home);

    const char *arguments[ARGUMENTS_MAX];
    size_t count       = 0;
    arguments[count++] = chromium->options.path;
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) arguments[count++] = switches[i];
    arguments[count++] = profile;
    if (!chromium->options.has_sandbox) arguments[count++] = "--no-sandbox";
    arguments[count] = NULL;
    static_assert(ARRAY_LEN(switches) + 4 <= ARGUMENTS_MAX);
    const char *environment[] = {home_is, tmp_is, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};

    errno = spawn(chromium, ends, (char *const *)(uintptr_t)arguments,
                  (char *const *)(uintptr_t)environment);
    if (errno != 0) {
        chromium->pid = 0;
        return fail(reterr, STATUS_UNAVAILABLE, "start %.100s: %m", chromium->options.path);
    }
    limit(chromium->pid);
    chromium->pid_fd = pidfd_open(chromium->pid, 0);
    if (chromium->pid_fd >= 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "pidfd_open: %m");
}

static status watch(struct chromium *chromium, struct error *reterr)
{
    struct loop *loop = chromium->options.loop;
    do_not_block(chromium->commands);
    do_not_block(chromium->answers);
    do_not_block(chromium->words_fd);
    (void)fcntl(chromium->commands, F_SETPIPE_SZ, PIPE_SIZE);
    (void)fcntl(chromium->answers, F_SETPIPE_SZ, PIPE_SIZE);
    TRY(loop_watch_add(loop, chromium->pid_fd, LOOP_READ, has_ended, chromium, &chromium->end_watch,
                       reterr));
    TRY(loop_watch_add(loop, chromium->commands, 0, can_write, chromium, &chromium->write_watch,
                       reterr));
    TRY(loop_watch_add(loop, chromium->words_fd, LOOP_READ, read_words, chromium,
                       &chromium->words_watch, reterr));
    return loop_watch_add(loop, chromium->answers, LOOP_READ, read_answers, chromium,
                          &chromium->answer_watch, reterr);
}

status chromium_start(const struct chromium_options *options, struct chromium **ret_chromium,
                      struct error *reterr)
{
    TRY(chromium_check(options->path, reterr));
    CLEANUP(chromium_freep) struct chromium *chromium = mem_new(1, sizeof *chromium);
    chromium->options                                 = *options;
    chromium->unread                                  = buf_init(UNREAD_MAX);
    chromium->pid_fd = chromium->commands = chromium->answers = chromium->words_fd = -1;
    CLEANUP(ends_close) struct child_ends ends = {.commands = -1, .answers = -1, .words = -1};
    TRY(browser_folder_new(options->folder, &chromium->folder, reterr));
    TRY(pipe_new(&ends.commands, &chromium->commands, reterr));
    TRY(pipe_new(&chromium->answers, &ends.answers, reterr));
    TRY(pipe_new(&chromium->words_fd, &ends.words, reterr));
    TRY(launch(chromium, &ends, reterr));
    TRY(watch(chromium, reterr));
    *ret_chromium = TAKE(chromium);
    return STATUS_OK;
}

/* proc(5): the second number of statm is what is resident, the third what of that is shared. */
uint64_t chromium_memory_of(int64_t pid)
{
    char path[MEMORY_TEXT_MAX];
    CLEANUP(buf_done) struct buf text = buf_init(MEMORY_TEXT_MAX);
    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/statm", pid);
    if (file_read(path, &text, NULL) != STATUS_OK) return 0;
    char *at          = NULL;
    uint64_t resident = 0;
    (void)strtoull(text.ptr, &at, 10);
    resident        = strtoull(at, &at, 10);
    uint64_t shared = strtoull(at, &at, 10);
    return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
