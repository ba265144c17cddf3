#include "trial.h"

#include "refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEAKS = 3, FINDINGS_SHOWN = 10 };

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
static bool leaks(void)
{
    return __lsan_do_recoverable_leak_check() != 0;
}
#else
static bool leaks(void)
{
    return false;
}
#endif

/* Given back by the child. */
struct shared {
    uint64_t asked; /* UINT64_MAX: the work has ended the process */
};

static _Noreturn void work_apart(void (*work)(void *), void *context, uint64_t nth, bool is_lasting,
                                 struct shared *shared, int text)
{
    if (dup2(text, STDERR_FILENO) < 0) _exit(1);
    (void)alarm(TRIAL_SECONDS_MAX);
    refusal_begin(nth, is_lasting);
    work(context);
    shared->asked = refusal_end();
    _exit(leaks() ? LEAKS : 0);
}

static struct shared *shared_new(void)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return shared;
}

static void read_text(int from, char *to)
{
    off_t len               = lseek(from, 0, SEEK_END);
    off_t start             = len > TRIAL_TEXT_MAX - 1 ? len - (TRIAL_TEXT_MAX - 1) : 0;
    ssize_t size            = pread(from, to, TRIAL_TEXT_MAX - 1, start);
    to[size > 0 ? size : 0] = '\0';
}

/* What is not ours, and ends the process. */
static bool is_of_others(const char *text)
{
    static const char *const known[][2] = {
        /* The sanitizer itself, where a thread begins. */
        {"CHECK failed: sanitizer_", "GetThreadStackAndTls"},
        /* Oniguruma 6.9.8 frees the alternatives of a pattern twice when there is no memory for one
         * more of them. */
        {"attempting double-free", "in onig_parse_tree"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strstr(text, known[i][0]) && strstr(text, known[i][1])) return true;
    }
    return false;
}

static enum trial_end end_of(int status, const char *text)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return TRIAL_WENT_ON;
    if (is_of_others(text)) return TRIAL_ENDED;
    bool is_abort = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    return is_abort && strstr(text, "out of memory") ? TRIAL_ENDED : TRIAL_FINDING;
}

static uint64_t run(void (*work)(void *), void *context, uint64_t nth, bool is_lasting,
                    struct trial *ret_trial)
{
    struct shared *shared = shared_new();
    shared->asked         = UINT64_MAX;
    int text              = memfd_create("stderr", MFD_CLOEXEC);
    int status            = 0;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) work_apart(work, context, nth, is_lasting, shared, text);
    if (text < 0 || child < 0 || waitpid(child, &status, 0) != child) {
        perror("trial");
        exit(2);
    }
    uint64_t asked = shared->asked;
    read_text(text, ret_trial->text);
    ret_trial->end         = end_of(status, ret_trial->text);
    ret_trial->was_refused = ret_trial->end != TRIAL_WENT_ON || asked >= nth;
    if (ret_trial->end == TRIAL_FINDING) {
        size_t len = strlen(ret_trial->text);
        (void)snprintf(ret_trial->text + len, TRIAL_TEXT_MAX - len, "(%s %d)\n",
                       WIFSIGNALED(status) ? "signal" : "exit",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    (void)close(text);
    (void)munmap(shared, sizeof *shared);
    return asked;
}

void trial_run(void (*work)(void *), void *context, uint64_t nth, bool is_lasting,
               struct trial *ret_trial)
{
    (void)run(work, context, nth, is_lasting, ret_trial);
}

bool trial_count(void (*work)(void *), void *context, uint64_t *ret_asked)
{
    struct trial trial;
    *ret_asked = run(work, context, 0, false, &trial);
    if (trial.end != TRIAL_WENT_ON) (void)printf("fails with memory, too: %s\n", trial.text);
    return trial.end == TRIAL_WENT_ON;
}

static void note(const char *name, uint64_t nth, bool is_lasting, const struct trial *trial,
                 bool is_good, struct trial_sum *sum)
{
    sum->trials++;
    sum->went_on += trial->end == TRIAL_WENT_ON;
    sum->ended += trial->end == TRIAL_ENDED;
    if (trial->end != TRIAL_FINDING && is_good) return;
    if (sum->findings++ >= FINDINGS_SHOWN) return;
    (void)printf("%s: refusal %llu%s: %s\n", name, (unsigned long long)nth,
                 is_lasting ? " and all after it" : "", trial->text);
}

void trial_all(const char *name, void (*work)(void *), bool (*check)(void *), void *context,
               uint64_t count_max, struct trial_sum *sum)
{
    uint64_t asked = 0;
    if (!trial_count(work, context, &asked) || (check && !check(context))) {
        sum->findings++;
        return;
    }
    uint64_t count = count_max > 0 && count_max < asked ? count_max : asked;
    for (uint64_t i = 0; i < count; i++) {
        struct trial trial;
        uint64_t nth    = 1 + i * asked / count;
        bool is_lasting = i % 2 == 1;
        trial_run(work, context, nth, is_lasting, &trial);
        if (trial.was_refused) note(name, nth, is_lasting, &trial, !check || check(context), sum);
    }
}

bool trial_sum_print(const char *name, const struct trial_sum *sum)
{
    (void)printf("%s: %llu refusals: %llu survived, %llu ended the process, %llu findings\n", name,
                 (unsigned long long)sum->trials, (unsigned long long)sum->went_on,
                 (unsigned long long)sum->ended, (unsigned long long)sum->findings);
    return sum->findings == 0 && sum->went_on + sum->ended > 0;
}
