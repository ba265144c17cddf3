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

static status serve(const struct options *options, const struct config *config,
                    struct error *reterr)
{
    TRY(http_init(reterr));
    TRY(process_block_signals(reterr));
    (void)rpc_threads_rest();

    CLEANUP(adapter_stopp) struct adapter *adapter = NULL;
    TRY(adapter_start(options, config, &adapter, reterr));
    return process_wait_for_stop(reterr);
}

int main(int argc, char **argv)
{
    struct options options = {};

    CLEANUP(config_freep) struct config *config = NULL;
    int exit_code = config_main(&tool_adapter_program, argc, argv, environ, &options, &config);
    if (exit_code != CONFIG_GO) return exit_code;

    struct error error = {};
    log_init("tool-adapter", (enum log_level)options.common.log_level,
             (enum log_format)options.common.log_format);
    process_install_crash_log();
    status code = serve(&options, config, &error);
    return process_exit_code(code, &error);
}
