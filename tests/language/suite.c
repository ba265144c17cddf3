#include "language/suite.h"

#include "base/buf.h"
#include "base/clock.h"
#include "json/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PATH_SIZE   = 512,
    FILE_MAX    = 64 << 20,
    READY_MS    = 60'000,
    STOP_MS     = 60'000,
    LOOK_MS     = 20,
    LOG_END_MAX = 200,
};

status suite_init(struct suite *suite, struct error *reterr)
{
    *suite = (struct suite){};
    (void)snprintf(suite->folder, sizeof suite->folder, "/tmp/tutti-language-XXXXXX");
    if (mkdtemp(suite->folder)) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", suite->folder);
}

static void path_in(const struct suite *suite, const char *name, char path[static PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/%s", suite->folder, name);
}

status suite_write(const struct suite *suite, const char *name, str text, struct error *reterr)
{
    char path[PATH_SIZE];
    path_in(suite, name, path);
    FILE *file    = fopen(path, "we");
    bool is_whole = file && fwrite(text.ptr, 1, text.len, file) == text.len;
    if (file) is_whole = fclose(file) == 0 && is_whole;
    return is_whole ? STATUS_OK : fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
}

/* Everything in a file; false if it cannot be read. */
static bool read_file(const struct suite *suite, const char *name, struct buf *out)
{
    char path[PATH_SIZE];
    char piece[8192];
    path_in(suite, name, path);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    for (size_t size = 0; (size = fread(piece, 1, sizeof piece, file)) > 0;) {
        (void)buf_put(out, piece, size);
    }
    (void)fclose(file);
    return true;
}

void suite_pause(void)
{
    const struct timespec time = {.tv_nsec = LOOK_MS * 1'000'000L};
    (void)nanosleep(&time, NULL);
}

/* --- start -------------------------------------------------------------------------------------
 */

static _Noreturn void become(const struct suite *suite, const char *programs)
{
    char program[PATH_SIZE];
    char data[PATH_SIZE];
    char config[PATH_SIZE];
    char log[PATH_SIZE];
    (void)snprintf(program, sizeof program, "%s/tutti", programs);
    path_in(suite, "data", data);
    path_in(suite, "tutti.yaml", config);
    path_in(suite, "up.log", log);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* it never outlives the tests */
    if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0) {
        (void)execl(program, program, "up", "--data", data, "--port", "0", "--config", config,
                    (char *)NULL);
    }
    _exit(127);
}

/* What it said last, for the reason. */
static status explain(const struct suite *suite, const char *what, struct error *reterr)
{
    CLEANUP(buf_done) struct buf log = buf_init(FILE_MAX);
    (void)read_file(suite, "up.log", &log);
    str end = buf_str(&log);
    if (end.len > LOG_END_MAX) end = str_slice(end, end.len - LOG_END_MAX, end.len);
    return fail(reterr, STATUS_UNAVAILABLE, "%s: " STR_FMT, what, STR_ARG(end));
}

static bool read_place(struct suite *suite)
{
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
    CLEANUP(buf_done) struct buf key  = buf_init(FILE_MAX);
    CLEANUP(json_unrefp) json value   = json_invalid();
    if (!read_file(suite, "data/endpoints.json", &text)) return false;
    if (!read_file(suite, "data/admin.key", &key)) return false;
    if (json_parse(buf_str(&text), NULL, &value, NULL, NULL) != STATUS_OK) return false;
    json url = json_get_text(json_get_text(value, "gateway"), "url");
    json rpc = json_get_text(json_get_text(value, "scheduler"), "rpc");
    if (!json_is(url, JSON_TEXT) || !json_is(rpc, JSON_TEXT)) return false;
    (void)snprintf(suite->rpc, sizeof suite->rpc, STR_FMT, STR_ARG(json_str(rpc)));
    while (key.len > 0 && key.ptr[key.len - 1] <= ' ') key.len--;
    (void)snprintf(suite->url, sizeof suite->url, STR_FMT, STR_ARG(json_str(url)));
    (void)snprintf(suite->key, sizeof suite->key, STR_FMT, STR_ARG(buf_str(&key)));
    return true;
}

static bool is_up(const struct suite *suite)
{
    CLEANUP(buf_done) struct buf log = buf_init(FILE_MAX);
    return read_file(suite, "up.log", &log) && log.len > 0 &&
           memmem(log.ptr, log.len, " is up after ", 13);
}

status suite_start(struct suite *suite, const char *programs, struct error *reterr)
{
    suite->pid = fork();
    if (suite->pid < 0) return fail(reterr, STATUS_UNAVAILABLE, "fork: %m");
    if (suite->pid == 0) become(suite, programs);
    int64_t until_ms = clock_mono_ms() + READY_MS;
    while (!is_up(suite)) {
        int how = 0;
        if (waitpid(suite->pid, &how, WNOHANG) == suite->pid) {
            suite->pid = 0;
            return explain(suite, "`tutti up` ended", reterr);
        }
        if (clock_mono_ms() > until_ms) return explain(suite, "`tutti up` is not ready", reterr);
        suite_pause();
    }
    return read_place(suite) ? STATUS_OK : explain(suite, "no endpoints.json", reterr);
}

/* --- end ---------------------------------------------------------------------------------------
 */

status suite_kill(const struct suite *suite, const char *service, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
    CLEANUP(json_unrefp) json value   = json_invalid();
    int64_t pid                       = 0;
    if (!read_file(suite, "data/endpoints.json", &text) ||
        json_parse(buf_str(&text), NULL, &value, NULL, NULL) != STATUS_OK ||
        !json_to_int(json_get_text(json_get_text(value, service), "pid"), &pid) || pid <= 1) {
        return fail(reterr, STATUS_UNAVAILABLE, "endpoints.json does not name the %s", service);
    }
    if (kill((pid_t)pid, SIGKILL) == 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "kill %lld: %m", (long long)pid);
}

/* What no log may hold. */
static status check_log(const struct suite *suite, const char *name, struct error *reterr)
{
    static const char *const trouble[] = {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                                          "runtime error:",   "assertion",     "crashed by signal"};
    CLEANUP(buf_done) struct buf log   = buf_init(FILE_MAX);
    if (!read_file(suite, name, &log) || log.len == 0) return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(trouble); i++) {
        const char *at = memmem(log.ptr, log.len, trouble[i], strlen(trouble[i]));
        if (!at) continue;
        str from = {at, log.len - (size_t)(at - log.ptr)};
        return fail(reterr, STATUS_FAILED_PRECONDITION, "%s: " STR_FMT, name,
                    STR_ARG(str_slice(from, 0, LOG_END_MAX)));
    }
    return STATUS_OK;
}

static status wait_for_end(struct suite *suite, struct error *reterr)
{
    int64_t until_ms = clock_mono_ms() + STOP_MS;
    int how          = 0;
    while (waitpid(suite->pid, &how, WNOHANG) == 0) {
        if (clock_mono_ms() > until_ms) return explain(suite, "it does not stop", reterr);
        suite_pause();
    }
    suite->pid = 0;
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return STATUS_OK;
    return explain(suite, "`tutti up` did not end with 0", reterr);
}

status suite_stop(struct suite *suite, struct error *reterr)
{
    static const char *const logs[] = {"up.log", "data/log/gateway.log", "data/log/scheduler.log",
                                       "data/log/tool-adapter.log", "data/log/llm-proxy.log"};
    if (suite->pid == 0) return STATUS_OK;
    (void)kill(suite->pid, SIGTERM);
    TRY(wait_for_end(suite, reterr));
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) TRY(check_log(suite, logs[i], reterr));
    return STATUS_OK;
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

void suite_done(struct suite *suite)
{
    if (suite->pid > 0) {
        (void)kill(suite->pid, SIGTERM);
        (void)wait_for_end(suite, NULL);
    }
    const char *keep = getenv("TUTTI_KEEP"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (*suite->folder && !keep) (void)nftw(suite->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
