/* doctor: what could be wrong with this set-up, each with its fix. */
#include "base/clock.h"
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    PATH_SIZE     = 4200,
    SYNC_COUNT    = 50,
    SYNC_SIZE     = 4096, /* bytes */
    SYNC_SLOW_US  = 5'000,
    SPACE_LOW     = 15, /* percent free */
    ENDPOINTS_MAX = 64 << 10,
    DETAIL_SIZE   = 300,
};

struct doctor {
    struct cli *cli;
    struct api *api;
    json findings; /* array */
    int bad;
};

/* One check: its name, whether it is well, what was seen, and what to do. */
static void note(struct doctor *doctor, const char *name, bool is_good, const char *seen,
                 const char *fix)
{
    if (!is_good) doctor->bad++;
    if (doctor->cli->is_json) {
        json one = json_object_new(4);
        json_object_put_text(&one, "check", json_text_from(name));
        json_object_put_text(&one, "ok", json_bool(is_good));
        json_object_put_text(&one, "seen", json_text_lossy(str_from(seen)));
        if (!is_good) json_object_put_text(&one, "fix", json_text_from(fix));
        json_array_push(&doctor->findings, one);
        return;
    }
    (void)printf("%-4s %-12s %s\n", is_good ? "ok" : "BAD", name, seen);
    if (!is_good) (void)printf("     %-12s fix: %s\n", "", fix);
}

/* --- the machine -------------------------------------------------------------------------------
 */

static int compare_us(const void *a, const void *b)
{
    const int64_t *left  = a;
    const int64_t *right = b;
    return (*left > *right) - (*left < *right);
}

/* The disk's own time for one durable write: the floor of everything that is durable. */
static int64_t sync_us(const char *folder)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/.doctor", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    static const char block[SYNC_SIZE] = {};
    int64_t times[SYNC_COUNT];
    int count = 0;
    for (; count < SYNC_COUNT; count++) {
        int64_t from_us = clock_mono_us();
        if (pwrite(fd, block, sizeof block, 0) < 0 || fdatasync(fd) != 0) break;
        times[count] = clock_mono_us() - from_us;
    }
    (void)close(fd);
    (void)unlink(path);
    if (count < SYNC_COUNT) return -1;
    qsort(times, SYNC_COUNT, sizeof *times, compare_us);
    return times[SYNC_COUNT / 2];
}

static void check_disk(struct doctor *doctor)
{
    char seen[DETAIL_SIZE];
    const char *data = doctor->cli->data;
    struct stat info;
    if (stat(data, &info) != 0) {
        (void)snprintf(seen, sizeof seen, "%.200s is not there yet", data);
        note(doctor, "data", true, seen, "");
        return;
    }
    bool is_private = (info.st_mode & 077) == 0;
    (void)snprintf(seen, sizeof seen, "%.200s, mode %o", data, (unsigned)info.st_mode & 0777);
    note(doctor, "data", is_private, seen, "chmod 700: it holds keys and the data of runs");

    int64_t us = sync_us(data);
    (void)snprintf(seen, sizeof seen, "fdatasync of 4 KiB takes %" PRId64 " us (p50)", us);
    note(doctor, "disk sync", us >= 0 && us < SYNC_SLOW_US, seen,
         "use a disk that syncs in under 5 ms: every commit waits for it");

    struct statvfs space;
    if (statvfs(data, &space) != 0 || space.f_blocks == 0) return;
    int free_percent = (int)(space.f_bavail * 100 / space.f_blocks);
    (void)snprintf(seen, sizeof seen, "%d %% free", free_percent);
    note(doctor, "disk space", free_percent >= SPACE_LOW, seen,
         "make room: a full disk stops runs");
}

static void check_key(struct doctor *doctor)
{
    char path[PATH_SIZE];
    char seen[DETAIL_SIZE];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/admin.key", doctor->cli->data);
    if (!doctor->cli->key) {
        note(doctor, "key", false, "no API key was found",
             "set TUTTI_KEY, or --data to the folder of `tutti up`");
        return;
    }
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0) {
        (void)snprintf(seen, sizeof seen, "%.250s may be read by others", path);
        note(doctor, "key", false, seen, "chmod 600, and rotate the key");
        return;
    }
    note(doctor, "key", true, "there is one", "");
}

/* --- the suite ---------------------------------------------------------------------------------
 */

static void check_version(struct doctor *doctor)
{
    char seen[DETAIL_SIZE];
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call = {.method = "GET", .path = "/v1/version", .timeout_ms = 5'000};
    if (api_try(doctor->api, &call, &answer) != CLI_OK) {
        (void)snprintf(seen, sizeof seen, "no answer from %.100s: %.150s", doctor->cli->url,
                       answer.error.text);
        note(doctor, "gateway", false, seen, "start the suite with `tutti up`, or set --url");
        return;
    }
    str version = member(answer.value, "version", "?");
    (void)snprintf(seen, sizeof seen, "%.200s, version " STR_FMT, doctor->cli->url,
                   STR_ARG(version));
    note(doctor, "gateway", str_is(version, TUTTI_VERSION), seen,
         "gateway and command line should be of one release");
}

static void note_component(struct doctor *doctor, json components, const char *name,
                           const char *fix)
{
    json component = json_get_text(components, name);
    str state      = member(component, "status", "down");
    char seen[DETAIL_SIZE];
    (void)snprintf(seen, sizeof seen, STR_FMT, STR_ARG(state));
    note(doctor, name, str_is(state, "up"), seen, fix);
}

static void check_components(struct doctor *doctor)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call                        = {
                               .method = "GET", .path = "/v1/system/status", .timeout_ms = 10'000};
    if (api_try(doctor->api, &call, &answer) != CLI_OK) return; /* said by check_version() */
    if (answer.http_status != 200) {
        char seen[DETAIL_SIZE];
        (void)snprintf(seen, sizeof seen, "HTTP %d: " STR_FMT, answer.http_status,
                       STR_ARG(member(answer.value, "detail", "")));
        note(doctor, "scheduler", false, seen,
             answer.http_status < 500 ? "use a key of this suite" : "see the scheduler's log");
        return;
    }
    json components = json_get_text(answer.value, "components");
    note_component(doctor, components, "scheduler", "see the scheduler's log");
    note_component(doctor, components, "tools", "start a tool-adapter: jobs of `tools` wait");
    note_component(doctor, components, "llm", "start an llm-proxy: jobs of `llm` wait");
}

static const char *hint_of(const char *service)
{
    return strcmp(service, "llm-proxy") == 0
               ? "mend what the log names: the configuration is then read again by itself"
               : "mend the file that the log names, then `kill -HUP` it";
}

/* The addresses that `tutti up` left: is each of them alive? */
static void check_admin_ports(struct doctor *doctor)
{
    static const char *const names[] = {"gateway", "scheduler", "tool-adapter", "llm-proxy"};
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/endpoints.json", doctor->cli->data);
    CLEANUP(buf_done) struct buf text   = buf_init(ENDPOINTS_MAX);
    CLEANUP(json_unrefp) json endpoints = json_invalid();
    if (read_whole_file(path, &text, NULL) != STATUS_OK) return;
    if (json_parse(buf_str(&text), NULL, &endpoints, NULL, NULL) != STATUS_OK) return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json admin = json_get_text(json_get_text(endpoints, names[i]), "admin");
        if (!json_is(admin, JSON_TEXT)) continue;
        const struct cli cli               = {.url = json_str(admin).ptr};
        CLEANUP(api_freep) struct api *api = NULL;
        if (api_new(&cli, &api, NULL) != STATUS_OK) continue;
        CLEANUP(api_answer_done) struct api_answer answer = {};
        const struct api_call call                        = {
                                   .method = "GET", .path = "/health/ready", .timeout_ms = 2'000};
        bool is_up = api_try(api, &call, &answer) == CLI_OK;
        char seen[DETAIL_SIZE];
        json said = is_up ? json_get_text(answer.value, "note") : json_invalid();
        str more  = json_is(said, JSON_TEXT) ? json_str(said) : str_from("");
        (void)snprintf(seen, sizeof seen, "%s %s%s" STR_FMT, cli.url,
                       !is_up                      ? "does not answer"
                       : answer.http_status == 200 ? "is ready"
                                                   : "is alive, not ready",
                       more.len > 0 ? "; " : "", STR_ARG(more));
        note(doctor, names[i], is_up && answer.http_status == 200 && more.len == 0, seen,
             more.len > 0 ? hint_of(names[i])
                          : "see DIR/log; `tutti up` starts it again when it dies");
    }
}

static enum cli_exit only_ready(struct doctor *doctor)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call = {.method = "GET", .path = "/health", .timeout_ms = 5'000};
    enum cli_exit code         = api_try(doctor->api, &call, &answer);
    bool is_ready              = code == CLI_OK && answer.http_status == 200;
    (void)puts(is_ready ? "ready" : "not ready");
    return is_ready ? CLI_OK : CLI_UNREACHABLE;
}

enum cli_exit command_doctor(struct cli *cli)
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    if (!api) return CLI_USAGE;
    struct doctor doctor = {.cli = cli, .api = api};
    if (cli->values[0]) return only_ready(&doctor);
    doctor.findings = json_array_new(8);
    check_disk(&doctor);
    check_key(&doctor);
    check_version(&doctor);
    check_components(&doctor);
    check_admin_ports(&doctor);
    if (cli->is_json) print_json(doctor.findings);
    json_unref(doctor.findings);
    return doctor.bad == 0 ? CLI_OK : CLI_FAILED;
}
