/*
 * tutti-gateway: the HTTP API of the suite. It keeps nothing: any number of gateways may stand
 * beside each other, and one that dies loses nobody's work.
 */
#include "base/process.h"
#include "gateway/gateway.h"
#include "rpc/rpc_threads.h"

#include <unistd.h>

static status serve(const struct options *options, struct error *reterr)
{
    (void)rpc_threads_rest();
    CLEANUP(gateway_stopp) struct gateway *gateway = NULL;
    TRY(gateway_start(options, &gateway, reterr));
    return process_wait_for_stop(reterr);
}

int main(int argc, char **argv)
{
    struct options options = {};

    CLEANUP(config_freep) struct config *config = NULL;
    int exit_code = config_main(&gateway_program, argc, argv, environ, &options, &config);
    if (exit_code != CONFIG_GO) return exit_code;

    struct error error = {};
    config_start_log("gateway", &options.common);
    process_install_crash_log();
    status code = process_block_signals(&error);
    if (code == STATUS_OK) code = serve(&options, &error);
    return process_exit_code(code, &error);
}
