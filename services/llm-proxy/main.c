/*
 * tutti-llm-proxy: models of all providers behind one door, for jobs and for gateways. Any number
 * of them may stand beside each other.
 */
#include "base/process.h"
#include "http/http.h"
#include "llm-proxy/proxy.h"
#include "rpc/rpc_threads.h"

#include <stdio.h>
#include <unistd.h>

enum {
    FINDINGS_ARENA_MAX = 1 << 20, /* bytes */
    WATCH_MS           = 1'000,   /* between two looks at the file */
};

static void print_findings(const struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *finding = &list->items[i];
        (void)fprintf(stderr, "%u:%u: error: %s: %s%s%s\n", finding->line, finding->column,
                      finding->pointer, finding->detail, *finding->hint ? "; fix: " : "",
                      finding->hint);
    }
}

static status read_catalog(const struct config *config, const struct options *options,
                           struct catalog **ret_catalog, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(FINDINGS_ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct catalog_trees trees         = options_trees(options);
    status code = catalog_read(config, &trees, list, ret_catalog, reterr);
    print_findings(list);
    return code;
}

/* SIGHUP, or another file: providers, routes, prices and rules about personal data are read anew;
 * all else is as it was at the start. With a mistake everything stays as it is. */
static void reload(const struct config *config, struct proxy *proxy)
{
    struct options options                   = {};
    struct error error                       = {};
    struct catalog *catalog                  = NULL;
    CLEANUP(config_freep) struct config *now = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(FINDINGS_ARENA_MAX);
    if (!arena) return;
    struct diagnostics *list = diagnostics_new(arena);
    status code =
        config_load(&llm_proxy_program, config_sources_of(config), &options, &now, list, &error);
    if (code != STATUS_OK) print_findings(list);
    if (code == STATUS_OK) code = read_catalog(now, &options, &catalog, &error);
    if (code != STATUS_OK) {
        proxy_refuse_reload(proxy, error.text);
        return;
    }
    const char *path = config_needs_restart(config, now);
    if (path) log_write(LOG_WARN, "a setting needs a restart", LOG_STR("setting", str_from(path)));
    proxy_reload(proxy, catalog);
}

/* Says whether the file is another one than was read, and is not being written right now. */
static bool has_changed(const struct config *config, const struct config_stamp *read,
                        struct config_stamp *seen)
{
    const struct config_stamp now  = config_stamp_of(config);
    const struct config_stamp none = {};
    bool is_steady                 = config_stamp_equal(&now, seen);
    *seen                          = now;
    return is_steady && !config_stamp_equal(&now, read) && !config_stamp_equal(&now, &none);
}

static status serve(const struct config *config, const struct options *options,
                    struct error *reterr)
{
    struct catalog *catalog  = NULL;
    struct config_stamp read = config_stamp_read(config);
    TRY(http_init(reterr));
    TRY(process_block_signals(reterr));
    (void)rpc_threads_rest();
    TRY(read_catalog(config, options, &catalog, reterr));

    CLEANUP(proxy_stopp) struct proxy *proxy = NULL;
    TRY(proxy_start(config, options, catalog, &proxy, reterr));
    enum process_signal signal = PROCESS_QUIET;
    struct config_stamp seen   = read;
    while (signal != PROCESS_STOP) {
        TRY(process_wait(WATCH_MS, &signal, reterr));
        bool is_due = signal == PROCESS_QUIET && has_changed(config, &read, &seen);
        if (signal != PROCESS_RELOAD && !is_due) continue;
        read = config_stamp_of(config);
        reload(config, proxy);
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct options options = {};

    CLEANUP(config_freep) struct config *config = NULL;
    int exit_code = config_main(&llm_proxy_program, argc, argv, environ, &options, &config);
    if (exit_code != CONFIG_GO) return exit_code;

    struct error error = {};
    config_start_log("llm-proxy", &options.common);
    process_install_crash_log();
    status code = serve(config, &options, &error);
    return process_exit_code(code, &error);
}
