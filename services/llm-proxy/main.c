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

enum { FINDINGS_ARENA_MAX = 1 << 20 /* bytes */ };

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
    if (!arena) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    struct diagnostics *list = diagnostics_new(arena);
    status code = catalog_read(config, options->providers, options->routes, options->prices, list,
                               ret_catalog, reterr);
    print_findings(list);
    return code;
}

static status serve(const struct config *config, const struct options *options,
                    struct error *reterr)
{
    CLEANUP(catalog_freep) struct catalog *catalog = NULL;
    TRY(read_catalog(config, options, &catalog, reterr));
    TRY(http_init(reterr));
    TRY(process_block_signals(reterr));
    (void)rpc_threads_rest();

    CLEANUP(proxy_stopp) struct proxy *proxy = NULL;
    TRY(proxy_start(options, catalog, &proxy, reterr));
    return process_wait_for_stop(reterr);
}

int main(int argc, char **argv)
{
    struct options options = {};

    CLEANUP(config_freep) struct config *config = NULL;
    int exit_code = config_main(&llm_proxy_program, argc, argv, environ, &options, &config);
    if (exit_code != CONFIG_GO) return exit_code;

    struct error error = {};
    log_init("llm-proxy", (enum log_level)options.common.log_level,
             (enum log_format)options.common.log_format);
    process_install_crash_log();
    status code = serve(config, &options, &error);
    return process_exit_code(code, &error);
}
