/*
 * tutti-tool-adapter: calls other people's APIs on behalf of workflows. Any number of them may
 * stand beside each other.
 */
#include "base/log.h"
#include "base/process.h"
#include "http/http.h"
#include "rpc/rpc_threads.h"
#include "tool-adapter/adapter.h"

#include <unistd.h>

enum { FINDINGS_ARENA_MAX = 1 << 20 /* bytes */ };

/* SIGHUP: manifests and connections are read anew; all else is as it was at the start. With a
 * mistake everything stays as it is. */
static void reload(const struct config *config, struct adapter *adapter)
{
    struct options options                   = {};
    struct error error                       = {};
    CLEANUP(config_freep) struct config *now = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(FINDINGS_ARENA_MAX);
    if (!arena) return;
    struct diagnostics *list = diagnostics_new(arena);
    status code =
        config_load(&tool_adapter_program, config_sources_of(config), &options, &now, list, &error);
    if (code != STATUS_OK) {
        config_print_findings("tutti-tool-adapter", config_sources_of(config)->file, list);
        adapter_refuse_reload(adapter, error.text);
        return;
    }
    const char *path = config_needs_restart(config, now);
    if (path) log_write(LOG_WARN, "a setting needs a restart", LOG_STR("setting", str_from(path)));
    adapter_reload(adapter, &options, now);
}

static status serve(const struct options *options, const struct config *config,
                    struct error *reterr)
{
    TRY(http_init(reterr));
    TRY(process_block_signals(reterr));
    (void)rpc_threads_rest();

    CLEANUP(adapter_stopp) struct adapter *adapter = NULL;
    TRY(adapter_start(options, config, &adapter, reterr));
    enum process_signal signal = PROCESS_RELOAD;
    while (signal == PROCESS_RELOAD) {
        TRY(process_wait(-1, &signal, reterr));
        if (signal == PROCESS_RELOAD) reload(config, adapter);
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct options options = {};

    CLEANUP(config_freep) struct config *config = NULL;
    int exit_code = config_main(&tool_adapter_program, argc, argv, environ, &options, &config);
    if (exit_code != CONFIG_GO) return exit_code;

    struct error error = {};
    config_start_log("tool-adapter", &options.common);
    process_install_crash_log();
    status code = serve(&options, config, &error);
    return process_exit_code(code, &error);
}
