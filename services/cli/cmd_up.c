/*
 * up: the whole suite on one machine. Four programs that talk over abstract sockets, one HTTP port,
 * four ports for health and metrics, and one folder that holds everything.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "cli/api.h"
#include "cli/beside.h"
#include "cli/print.h"
#include "cli/supervisor.h"
#include "json/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PORT_DEFAULT    = 8080,
    GRACE_MS        = 60'000,
    READY_MS        = 60'000,
    TURN_MS         = 500,
    READY_STEP_MS   = 20,
    FOLDER_MODE     = 0700,
    SETTING_MAX     = 8192, /* bytes */
    ENDPOINTS_MAX   = 16 << 10,
    SOCKET_NAME_MAX = 32,
    LOG_END_MAX     = 600, /* bytes */
};

/* In the order of up_flags in main.c. */
enum { UP_PORT, UP_CONFIG, UP_SET, UP_QUIET };

/* In the order they are stopped: who takes work from outside goes first. */
enum { GATEWAY, TOOL_ADAPTER, LLM_PROXY, SCHEDULER, SERVICE_COUNT };

static const struct {
    const char *name, *program, *section;
} services[SERVICE_COUNT] = {
    [GATEWAY]      = {"gateway", "tutti-gateway", "gateway"},
    [TOOL_ADAPTER] = {"tool-adapter", "tutti-tool-adapter", "tools"},
    [LLM_PROXY]    = {"llm-proxy", "tutti-llm-proxy", "llm"},
    [SCHEDULER]    = {"scheduler", "tutti-scheduler", "scheduler"},
};

struct suite {
    struct cli *cli;
    struct supervisor supervisor;
    char sockets[SOCKET_NAME_MAX + 1]; /* the common part of the sockets' names */
    int port;
    int admin_ports[SERVICE_COUNT];
    int lock; /* file descriptor */
    bool is_quiet;
};

/* --- folder and ports --------------------------------------------------------------------------
 */

static status make_folder(const char *path, struct error *reterr)
{
    char part[PROGRAM_PATH_MAX];
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(part, FOLDER_MODE); /* what matters is the last one */
        *slash = '/';
    }
    if (mkdir(part, FOLDER_MODE) == 0 || errno == EEXIST) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
}

static void path_in(const struct suite *suite, const char *name, char path[static PROGRAM_PATH_MAX])
{
    (void)snprintf(path, PROGRAM_PATH_MAX, "%s/%s", suite->cli->data, name);
}

static status make_data(struct suite *suite, struct error *reterr)
{
    static const char *const folders[] = {"", "store", "log"};
    char path[PROGRAM_PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        path_in(suite, folders[i], path);
        TRY(make_folder(path, reterr));
    }
    path_in(suite, "up.lock", path);
    suite->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (suite->lock < 0) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    if (flock(suite->lock, LOCK_EX | LOCK_NB) == 0) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION, "%s is in use by another `tutti up`",
                suite->cli->data);
}

/* Whether nobody listens there; `port` 0 finds a free one. */
static bool is_free(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family      = AF_INET,
                                  .sin_port        = htons((uint16_t)*port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size             = sizeof address;
    bool is_bound = bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    (void)close(fd);
    if (is_bound) *port = ntohs(address.sin_port);
    return is_bound;
}

static status choose_ports(struct suite *suite, struct error *reterr)
{
    const char *wanted = suite->cli->values[UP_PORT];
    suite->port        = PORT_DEFAULT;
    if (wanted) {
        char *end   = NULL;
        long number = strtol(wanted, &end, 10);
        if (*end || number < 0 || number > 65'000) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "--port: 0 to 65000");
        }
        suite->port = (int)number;
    }
    if (!is_free(&suite->port)) {
        return fail(reterr, STATUS_UNAVAILABLE,
                    "port %d is in use; choose another with --port, or 0 for any", suite->port);
    }
    for (int i = 0; i < SERVICE_COUNT; i++) {
        int port = suite->port + 1 + i;
        if (!is_free(&port)) {
            port = 0;
            if (!is_free(&port)) return fail(reterr, STATUS_UNAVAILABLE, "no free port");
        }
        suite->admin_ports[i] = port;
    }
    return STATUS_OK;
}

/* --- programs ----------------------------------------------------------------------------------
 */

PRINTF_LIKE(2, 3) static void set(struct program *program, const char *format, ...)
{
    char text[SETTING_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    program_add(program, "--set");
    program_add(program, text);
}

static void set_scheduler(struct suite *suite, struct program *program)
{
    set(program, "scheduler.listen=abstract://%s.s", suite->sockets);
    set(program, "scheduler.hint_listen=abstract://%s.h", suite->sockets);
    set(program, "scheduler.store.path=%s/store", suite->cli->data);
    set(program, "scheduler.backup.path=%s/backups", suite->cli->data);
    set(program, "auth.bootstrap_key_file=%s/admin.key", suite->cli->data);
}

static void set_gateway(struct suite *suite, struct program *program)
{
    set(program, "gateway.port=%d", suite->port);
    set(program, "gateway.scheduler=abstract://%s.s", suite->sockets);
    set(program, "gateway.scheduler_hints=abstract://%s.h", suite->sockets);
    set(program, "gateway.llm=abstract://%s.l", suite->sockets);
    set(program, "gateway.tools=abstract://%s.t", suite->sockets);
}

/*
 * Models that are there without any configuration: `simulated` never leaves this machine; `smart`
 * and `embedding` are the same, unless the environment names a real provider.
 */
static void set_models(struct program *program)
{
    const char *key   = getenv("OPENAI_API_KEY"); /* NOLINT(concurrency-mt-unsafe): one thread */
    const char *url   = getenv("LLM_BASE_URL");   /* NOLINT(concurrency-mt-unsafe) */
    const char *model = getenv("LLM_MODEL");      /* NOLINT(concurrency-mt-unsafe) */
    const char *embed = getenv("EMBED_MODEL");    /* NOLINT(concurrency-mt-unsafe) */
    bool is_real      = (key && *key) || (url && *url);
    set(program, "llm.providers.demo={type: simulated}");
    set(program, "llm.routes.simulated={targets: [{model: demo/simulated}]}");
    if (!is_real) {
        set(program, "llm.routes.smart={targets: [{model: demo/smart}]}");
        set(program, "llm.routes.embedding={targets: [{model: demo/embedding}]}");
        return;
    }
    set(program, "llm.providers.env={type: openai-compatible, base_url: \"%s\"%s%s}",
        url && *url ? url : "https://api.openai.com/v1",
        key && *key ? ", keys: [{secret: OPENAI_API_KEY}]" : "",
        key && *key ? "" : ", price: free");
    if (key && *key) set(program, "secrets.OPENAI_API_KEY={env: OPENAI_API_KEY}");
    set(program, "llm.routes.smart={targets: [{model: \"env/%s\"}]}",
        model && *model ? model : "gpt-5-mini");
    set(program, "llm.routes.embedding={targets: [{model: \"env/%s\"}]}",
        embed && *embed ? embed : "text-embedding-3-small");
}

static status describe(struct suite *suite, int service, struct error *reterr)
{
    struct program *program = &suite->supervisor.programs[service];
    program->name           = services[service].name;
    TRY(program_beside(services[service].program, program->path, sizeof program->path, reterr));
    char name[64];
    (void)snprintf(name, sizeof name, "log/%s.log", program->name);
    path_in(suite, name, program->log);
    const char *config = suite->cli->values[UP_CONFIG];
    if (config) {
        program_add(program, "--config");
        program_add(program, config);
    }
    set(program, "%s.admin.port=%d", services[service].section, suite->admin_ports[service]);
    switch (service) {
    case GATEWAY: set_gateway(suite, program); break;
    case SCHEDULER: set_scheduler(suite, program); break;
    case TOOL_ADAPTER:
        set(program, "tools.scheduler=abstract://%s.s", suite->sockets);
        set(program, "tools.listen=abstract://%s.t", suite->sockets);
        set(program, "tools.llm=abstract://%s.l", suite->sockets);
        set(program, "tools.memory.path=%s/memory", suite->cli->data);
        break;
    default:
        set(program, "llm.scheduler=abstract://%s.s", suite->sockets);
        set(program, "llm.listen=abstract://%s.l", suite->sockets);
        set(program, "llm.store.path=%s/llm", suite->cli->data);
        set(program, "llm.job_output=true");
        if (!config) set_models(program);
        break;
    }
    const char *setting = suite->cli->values[UP_SET];
    if (setting) set(program, "%s", setting);
    return STATUS_OK;
}

/* --- what others find --------------------------------------------------------------------------
 */

static status write_endpoints(const struct suite *suite, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(ENDPOINTS_MAX);
    struct json_writer w              = json_writer_init(&text);
    json_begin_object(&w);
    json_put_int(&w, "pid", getpid());
    for (int i = 0; i < SERVICE_COUNT; i++) {
        char url[64];
        json_member(&w, services[i].name);
        json_begin_object(&w);
        if (i == GATEWAY) {
            (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", suite->port);
            json_put_text(&w, "url", str_from(url));
        }
        if (i == SCHEDULER) { /* for workers of one's own on this machine */
            (void)snprintf(url, sizeof url, "abstract://%s.s", suite->sockets);
            json_put_text(&w, "rpc", str_from(url));
        }
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", suite->admin_ports[i]);
        json_put_text(&w, "admin", str_from(url));
        json_put_int(&w, "pid", suite->supervisor.programs[i].pid);
        json_end_object(&w);
    }
    json_end_object(&w);
    (void)buf_put_byte(&text, '\n');

    char path[PROGRAM_PATH_MAX];
    char fresh[PROGRAM_PATH_MAX + 8];
    path_in(suite, "endpoints.json", path);
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (!file) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", fresh);
    bool is_whole = fwrite(text.ptr, 1, text.len, file) == text.len;
    is_whole      = fclose(file) == 0 && is_whole;
    if (is_whole && rename(fresh, path) == 0) return STATUS_OK; /* readers never see half of it */
    return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
}

static void on_event(const struct program *program, const char *what, void *context)
{
    struct suite *suite = context;
    if (!suite->supervisor.is_stopping) {
        (void)fprintf(stderr, "tutti: %s %s (exit code %d; %s)\n", program->name, what,
                      program->exit_code, program->log);
    } else if (!suite->is_quiet) {
        (void)printf("%s %s\n", program->name, what);
    }
}

/* --- readiness ---------------------------------------------------------------------------------
 */

static bool is_ready(int port)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    const struct cli cli               = {.url = url};
    CLEANUP(api_freep) struct api *api = NULL;
    if (api_new(&cli, &api, NULL) != STATUS_OK) return false;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call = {.method = "GET", .path = "/health/ready", .timeout_ms = 1'000};
    return api_try(api, &call, &answer) == CLI_OK && answer.http_status == 200;
}

/* What a service said last: why it refuses its configuration. */
static void print_log_end(const struct program *program)
{
    char text[LOG_END_MAX];
    FILE *file = fopen(program->log, "re");
    if (!file) return;
    if (fseek(file, -(long)sizeof text, SEEK_END) != 0) (void)fseek(file, 0, SEEK_SET);
    size_t size = fread(text, 1, sizeof text, file);
    (void)fwrite(text, 1, size, stderr);
    (void)fclose(file);
}

/* False: asked to stop before everything was ready, or a service refuses its configuration. */
static bool await_ready(struct suite *suite, int64_t until_ms)
{
    bool ready[SERVICE_COUNT] = {};
    for (int count = 0; count < SERVICE_COUNT;) {
        if (!supervisor_turn(&suite->supervisor, READY_STEP_MS)) return false;
        if (suite->supervisor.refused) {
            print_log_end(suite->supervisor.refused);
            return false;
        }
        count = 0;
        for (int i = 0; i < SERVICE_COUNT; i++) {
            ready[i] = ready[i] || is_ready(suite->admin_ports[i]);
            count += ready[i];
        }
        if (clock_mono_ms() < until_ms || count == SERVICE_COUNT) continue;
        for (int i = 0; i < SERVICE_COUNT; i++) {
            if (ready[i]) continue;
            (void)fprintf(stderr, "tutti: %s is not ready after %d s; see %s\n", services[i].name,
                          READY_MS / 1000, suite->supervisor.programs[i].log);
        }
        return true;
    }
    return true;
}

static void greet(const struct suite *suite, int64_t started_ms)
{
    const char *key = getenv("OPENAI_API_KEY"); /* NOLINT(concurrency-mt-unsafe) */
    const char *url = getenv("LLM_BASE_URL");   /* NOLINT(concurrency-mt-unsafe) */
    if (suite->is_quiet) return;
    (void)printf("tutti %s is up after %lld ms\n", TUTTI_VERSION,
                 (long long)(clock_mono_ms() - started_ms));
    (void)printf("  API      http://127.0.0.1:%d   (OpenAPI: /openapi.json)\n", suite->port);
    (void)printf("  key      %s/admin.key\n", suite->cli->data);
    (void)printf("  data     %s\n", suite->cli->data);
    if (suite->cli->values[UP_CONFIG]) {
        (void)printf("  models   as %s says\n", suite->cli->values[UP_CONFIG]);
    } else if ((key && *key) || (url && *url)) {
        (void)printf("  models   smart, embedding at %s; simulated\n",
                     url && *url ? url : "api.openai.com");
    } else {
        (void)printf("  models   smart, embedding, simulated: all SIMULATED. Set OPENAI_API_KEY or "
                     "LLM_BASE_URL for real ones\n");
    }
    (void)printf("Ctrl-C drains and stops.\n");
    (void)fflush(stdout);
}

/* --- up ----------------------------------------------------------------------------------------
 */

static status start_all(struct suite *suite, struct error *reterr)
{
    uint8_t random[SOCKET_NAME_MAX / 4];
    random_bytes(random, sizeof random);
    (void)snprintf(suite->sockets, sizeof suite->sockets, "tutti-");
    hex_encode(random, sizeof random, suite->sockets + strlen(suite->sockets));

    TRY(make_data(suite, reterr));
    TRY(choose_ports(suite, reterr));
    TRY(supervisor_block_children(reterr));
    suite->supervisor.count   = SERVICE_COUNT;
    suite->supervisor.say     = on_event;
    suite->supervisor.context = suite;
    for (int i = 0; i < SERVICE_COUNT; i++) TRY(describe(suite, i, reterr));
    for (int i = SERVICE_COUNT; i-- > 0;) {
        TRY(supervisor_start(&suite->supervisor, &suite->supervisor.programs[i], reterr));
    }
    return write_endpoints(suite, reterr);
}

static uint32_t restarts_of(const struct suite *suite)
{
    uint32_t count = 0;
    for (size_t i = 0; i < suite->supervisor.count; i++) {
        count += suite->supervisor.programs[i].restarts;
    }
    return count;
}

static void supervise(struct suite *suite)
{
    uint32_t restarts = 0;
    while (supervisor_turn(&suite->supervisor, TURN_MS)) {
        if (restarts_of(suite) == restarts) continue;
        restarts = restarts_of(suite);
        (void)write_endpoints(suite, NULL); /* with the new process ids */
    }
}

enum cli_exit command_up(struct cli *cli)
{
    struct suite *suite = mem_new(1, sizeof *suite);
    suite->cli          = cli;
    suite->lock         = -1;
    suite->is_quiet     = cli->values[UP_QUIET] != NULL;
    struct error error  = {};
    int64_t started_ms  = clock_mono_ms();
    status code         = start_all(suite, &error);
    bool is_clean       = code == STATUS_OK;
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
    } else if (await_ready(suite, started_ms + READY_MS)) {
        greet(suite, started_ms);
        supervise(suite);
    }
    if (suite->supervisor.count > 0) {
        is_clean = supervisor_stop(&suite->supervisor, GRACE_MS) && is_clean;
        is_clean = is_clean && !suite->supervisor.refused;
    }
    supervisor_done(&suite->supervisor);
    if (suite->lock >= 0) (void)close(suite->lock);
    free(suite);
    return is_clean ? CLI_OK : CLI_FAILED;
}
