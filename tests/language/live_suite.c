/* A suite for scenarios, and who stands in for the world around it. */
#include "language/live_suite.h"

#include "language/secrets.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 /* bytes of a configuration */ };

/* --- its configuration -------------------------------------------------------------------------
 */

static bool is_https(const char *host)
{
    const char *port = strchr(host, ':');
    return port && strcmp(port, ":443") == 0;
}

static bool has_https(const struct http_backend_options *options)
{
    for (size_t i = 0; i < options->host_count; i++) {
        if (is_https(options->hosts[i])) return true;
    }
    return false;
}

/* All hosts of the features lead to the stand-in; those of port 443 by way of TLS. */
static void write_rewrites(const struct live_suite *live,
                           const struct http_backend_options *options, struct buf *text)
{
    uint16_t plain = standin_server_port(live->standin);
    (void)buf_put_text(text, "tools:\n"
                             "  lease: 3s\n" /* what a killed scheduler has handed out comes back */
                             "  egress:\n"
                             "    private_networks: [ 127.0.0.0/8 ]\n"
                             "    http_hosts: [ 127.0.0.1");
    for (size_t i = 0; i < options->host_count; i++) {
        const char *name = options->hosts[i];
        (void)buf_printf(text, ", '%.*s'", (int)strcspn(name, ":"), name);
    }
    (void)buf_put_text(text, " ]\n    rewrite: [ ");
    for (size_t i = 0; i < options->host_count; i++) {
        uint16_t port = is_https(options->hosts[i]) ? live->front.port : plain;
        (void)buf_printf(text, "%s'%s=127.0.0.1:%u'", i > 0 ? ", " : "", options->hosts[i], port);
    }
    (void)buf_put_text(text, " ]\n");
    if (live->front.pid > 0) {
        (void)buf_printf(text, "    ca_file: %s\n", live->front.certificate);
    }
}

static void write_models(const struct live_suite *live, struct buf *text)
{
    (void)buf_printf(
        text,
        "limits: { breaker: { failures: 100 } }\n" /* calls fail on purpose */
        "llm:\n"
        "  lease: 3s\n"
        "  providers:\n"
        "    demo: { type: simulated }\n"
        "    standin: { type: openai-compatible, base_url: 'http://127.0.0.1:%u/llm/v1',"
        " price: free }\n"
        "  routes:\n"
        "    simulated: { targets: [ { model: demo/simulated } ] }\n"
        "    smart: { targets: [ { model: standin/smart } ] }\n"
        "    fast: { targets: [ { model: standin/fast } ] }\n"
        "    careful: { targets: [ { model: standin/careful } ] }\n"
        "    embedding: { targets: [ { model: standin/embedding } ] }\n",
        standin_server_port(live->standin));
}

/* A file for each, as an operator would have them. */
static status write_secrets(const struct live_suite *live, struct buf *text, struct error *reterr)
{
    (void)buf_put_text(text, "scheduler:\n  secrets:\n    '*':\n");
    for (size_t i = 0; i < LANGUAGE_SECRETS; i++) {
        const struct language_secret *secret = &language_secret_texts[i];
        char name[64];
        (void)snprintf(name, sizeof name, "%s.secret", secret->name);
        TRY(suite_write(&live->suite, name, str_from(secret->text), reterr));
        (void)buf_printf(text, "      %s: { file: %s/%s }\n", secret->name, live->suite.folder,
                         name);
    }
    return STATUS_OK;
}

/* --- life --------------------------------------------------------------------------------------
 */

status live_suite_start(struct live_suite *live, const struct http_backend_options *options,
                        struct script *script, struct error *reterr)
{
    CLEANUP(buf_done) struct buf config = buf_init(TEXT_MAX);
    TRY(standin_server_start(script, &live->standin, reterr));
    TRY(suite_init(&live->suite, reterr));
    if (has_https(options)) {
        TRY(tls_front_start(&live->front, live->suite.folder, options->hosts, options->host_count,
                            standin_server_port(live->standin), reterr));
    }
    write_rewrites(live, options, &config);
    write_models(live, &config);
    TRY(write_secrets(live, &config, reterr));
    TRY(suite_write(&live->suite, "tutti.yaml", buf_str(&config), reterr));
    TRY(suite_start(&live->suite, options->programs, reterr));
    return standin_worker_start(live->suite.rpc, script, &live->worker, reterr);
}

status live_suite_stop(struct live_suite *live, struct error *reterr)
{
    standin_worker_stopp(&live->worker);
    return suite_stop(&live->suite, reterr);
}

void live_suite_done(struct live_suite *live)
{
    standin_worker_stopp(&live->worker);
    suite_done(&live->suite);
    tls_front_stop(&live->front);
    standin_server_stopp(&live->standin);
}
