#include "base/process.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/log.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAMES_MAX       = 64,
    CRASH_STACK_SIZE = 64 << 10, /* bytes */
    MS_PER_SECOND    = 1'000,
    NS_PER_MS        = 1'000'000,
};

static sigset_t handled_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set); /* these cannot fail for valid numbers */
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    return set;
}

status process_block_signals(struct error *reterr)
{
    /* Also pulls the sysconf() of process_cpu_count.c into the program. */
    ASSERT(process_cpu_count() >= 1);

    sigset_t set = handled_signals();
    int failed   = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (failed) return fail(reterr, STATUS_INTERNAL, "cannot block signals: error %d", failed);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return fail(reterr, STATUS_INTERNAL, "cannot ignore SIGPIPE: %m");
    }
    return STATUS_OK;
}

status process_wait(int64_t timeout_ms, enum process_signal *ret_signal, struct error *reterr)
{
    const struct timespec most = {.tv_sec  = (time_t)(timeout_ms / MS_PER_SECOND),
                                  .tv_nsec = (long)(timeout_ms % MS_PER_SECOND) * NS_PER_MS};
    sigset_t set               = handled_signals();
    int number;
    do {
        number = timeout_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &most);
    } while (number < 0 && errno == EINTR);
    if (number < 0 && errno == EAGAIN && timeout_ms >= 0) {
        *ret_signal = PROCESS_QUIET;
        return STATUS_OK;
    }
    if (number < 0) return fail(reterr, STATUS_INTERNAL, "cannot wait for signals: %m");
    if (number == SIGHUP) {
        *ret_signal = PROCESS_RELOAD;
        return STATUS_OK;
    }
    (void)sigdelset(&set, SIGHUP);
    int failed = pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (failed) return fail(reterr, STATUS_INTERNAL, "cannot unblock signals: error %d", failed);
    *ret_signal = PROCESS_STOP;
    return STATUS_OK;
}

status process_wait_for_stop(struct error *reterr)
{
    enum process_signal signal = PROCESS_RELOAD;
    while (signal != PROCESS_STOP) TRY(process_wait(-1, &signal, reterr));
    return STATUS_OK;
}

/* Runs inside a crash: only what is safe there, no formatting, no memory. */
static void crash_log(int number)
{
    char line[]     = "crashed by signal 00\n";
    line[18]        = (char)('0' + number / 10);
    line[19]        = (char)('0' + number % 10);
    ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored;

    void *frames[FRAMES_MAX];
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDERR_FILENO);
    (void)raise(number); /* SA_RESETHAND has put the default action back */
}

void process_install_crash_log(void)
{
    void *frame;
    (void)backtrace(&frame, 1); /* loads its library now: it allocates the first time */

    /* Owned by the kernel from now on; freed by the end of the process. */
    void *memory = mmap(NULL, CRASH_STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    ASSERT(memory != MAP_FAILED);
    stack_t stack = {.ss_sp = memory, .ss_size = CRASH_STACK_SIZE};
    (void)sigaltstack(&stack, NULL); /* without it only stack overflows go unseen */

    struct sigaction action = {.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};
    action.sa_handler       = crash_log;
#ifdef __SANITIZE_ADDRESS__
    static const int numbers[] = {SIGABRT};
#else
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
#endif
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        int failed = sigaction(numbers[i], &action, NULL);
        ASSERT(failed == 0);
    }
}

void process_notify(const char *state)
{
    const char *path            = getenv("NOTIFY_SOCKET"); /* NOLINT(concurrency-mt-unsafe) */
    struct sockaddr_un receiver = {.sun_family = AF_UNIX};
    size_t len                  = path ? strlen(path) : 0;
    if (len == 0 || len >= sizeof receiver.sun_path) return;
    memcpy(receiver.sun_path, path, len);
    if (path[0] == '@') receiver.sun_path[0] = '\0'; /* an abstract name */

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    /* A manager that does not listen is its own problem. */
    (void)sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
                 (const struct sockaddr *)&receiver, size);
    (void)close(fd);
}

int process_exit_code(status code, const struct error *error)
{
    if (code != STATUS_OK && error && error->text[0] != '\0') {
        log_write(LOG_ERROR, "process.failed", LOG_TEXT_OF("status", status_name(code)),
                  LOG_TEXT_OF("error.message", error->text));
    }
    log_flush();
    switch ((int)code) {
    case STATUS_OK: return PROCESS_EXIT_DRAINED;
    case STATUS_INVALID_ARGUMENT: return PROCESS_EXIT_CONFIG;
    case STATUS_DATA_LOSS:
    case STATUS_RESOURCE_EXHAUSTED: return PROCESS_EXIT_STORE_FAILED;
    default: return PROCESS_EXIT_INTERNAL;
    }
}
