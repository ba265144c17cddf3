/* tls+tcp:// with certificates on both sides. They are made by openssl(1) when the test runs. */
#include "cmocka.h"
#include "support/echo.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const uint8_t secret_key[32] = "0123456789abcdef0123456789abcde";

struct fixture {
    char folder[64];
    char ca[96];
    char server[96];
    char client[96];
    char stranger_ca[96];
    char stranger[96]; /* signed by the other CA */
    struct echo echo;
    struct rpc_server *rpc;
    char endpoint[RPC_ENDPOINT_MAX * 2];
};

static int run_shell(const char *script)
{
    pid_t pid;
    int how;
    char *arguments[] = {(char[]){"sh"}, (char[]){"-ec"}, (char *)(uintptr_t)script, NULL};
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ) != 0) return -1;
    if (waitpid(pid, &how, 0) != pid) return -1;
    return how;
}

static const char script[] =
    "cd %s; exec 2>/dev/null\n"
    "for ca in ca stranger-ca; do openssl req -x509 -newkey ec -pkeyopt "
    "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done\n"
    "make() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$1 "
    "-keyout $1.key -out $1.csr; openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key "
    "-set_serial $3 -days 2 -out $1.crt; cat $1.crt $1.key > $1.pem; }\n"
    "make localhost ca 1; make gateway ca 2; make stranger stranger-ca 3\n";

static int make_certificates(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    char text[1'200];
    (void)snprintf(it->folder, sizeof it->folder, "/tmp/tutti-tls-XXXXXX");
    if (!mkdtemp(it->folder)) return -1;
    /* One %s, the folder. */
    int head = (int)(strchr(script, '%') - script);
    (void)snprintf(text, sizeof text, "%.*s%s%s", head, script, it->folder, script + head + 2);
    if (run_shell(text) != 0) return -1;
    (void)snprintf(it->ca, sizeof it->ca, "%s/ca.pem", it->folder);
    (void)snprintf(it->server, sizeof it->server, "%s/localhost.pem", it->folder);
    (void)snprintf(it->client, sizeof it->client, "%s/gateway.pem", it->folder);
    (void)snprintf(it->stranger_ca, sizeof it->stranger_ca, "%s/stranger-ca.pem", it->folder);
    (void)snprintf(it->stranger, sizeof it->stranger, "%s/stranger.pem", it->folder);
    *state = it;
    return 0;
}

static int remove_certificates(void **state)
{
    struct fixture *it = *state;
    char text[128];
    (void)snprintf(text, sizeof text, "rm -r %s", it->folder);
    int failed = run_shell(text);
    free(it);
    return failed;
}

static struct rpc_identity identity_of(const char *service)
{
    return (struct rpc_identity){
        .service      = str_from(service),
        .secrets      = {{.id = 7, .key = {secret_key, sizeof secret_key}}},
        .secret_count = 1,
    };
}

static void serve(struct fixture *it)
{
    struct error error = {};
    struct rpc_service services[2];
    echo_init(&it->echo);
    echo_services(&it->echo, services);
    const struct rpc_server_options options = {
        .url      = "tls+tcp://127.0.0.1:0",
        .services = services,
        .contract = echo_contract,
        .identity = identity_of("scheduler"),
        .tls      = {.ca_file = it->ca, .cert_key_file = it->server},
        .hooks    = {.batch_end = echo_batch_end, .context = &it->echo},
    };
    if (rpc_server_start(&options, &it->rpc, &error) != STATUS_OK) fail_msg("%s", error.text);
    (void)snprintf(it->endpoint, sizeof it->endpoint, "%s %s", rpc_server_url(it->rpc),
                   rpc_server_long_url(it->rpc));
}

static void stop(struct fixture *it)
{
    rpc_server_stopp(&it->rpc);
    echo_done(&it->echo);
}

/* Calls once with these files; `name` is what the server's certificate must say. */
static status call_with(struct fixture *it, const char *ca, const char *certificate,
                        const char *name, const char *method)
{
    struct rpc_client_options options = echo_client_options(it->endpoint);
    options.identity                  = identity_of("gateway");
    options.tls                       = (struct rpc_tls){ca, certificate, name};
    struct rpc_client *client         = NULL;
    struct error error                = {};
    status code                       = rpc_client_open(&options, &client, &error);
    if (code != STATUS_OK) return code;

    Test__Saying message             = TEST__SAYING__INIT;
    const struct rpc_request request = {
        .service = &test__echo__descriptor, .method = method, .message = &message};
    code = rpc_client_ask(client, &request, NULL, &error);
    rpc_client_closep(&client);
    return code;
}

static void both_sides_prove_themselves(void **state)
{
    struct fixture *it = *state;
    serve(it);
    assert_int_equal(call_with(it, it->ca, it->client, "localhost", "Say"), STATUS_OK);
    assert_int_equal(call_with(it, it->ca, it->client, "localhost", "Write"), STATUS_OK);
    assert_string_equal(it->echo.last_caller, "gateway");
    stop(it);
}

static void strangers_get_no_call_through(void **state)
{
    struct fixture *it = *state;
    serve(it);
    assert_int_equal(call_with(it, it->ca, it->stranger, "localhost", "Say"), STATUS_UNAVAILABLE);
    assert_int_equal(call_with(it, it->stranger_ca, it->client, "localhost", "Say"),
                     STATUS_UNAVAILABLE);
    assert_int_equal(call_with(it, it->ca, it->client, "elsewhere", "Say"), STATUS_UNAVAILABLE);
    assert_int_equal(it->echo.said, 0);
    /* And the listener has not suffered. */
    assert_int_equal(call_with(it, it->ca, it->client, "localhost", "Say"), STATUS_OK);
    stop(it);
}

static void files_are_read_at_the_start(void **state)
{
    struct fixture *it = *state;
    serve(it);
    assert_int_equal(call_with(it, NULL, it->client, NULL, "Say"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(call_with(it, it->ca, NULL, NULL, "Say"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(call_with(it, "/nowhere", it->client, NULL, "Say"),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(call_with(it, it->ca, it->ca, NULL, "Say"), STATUS_FAILED_PRECONDITION);
    stop(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_prove_themselves),
        cmocka_unit_test(strangers_get_no_call_through),
        cmocka_unit_test(files_are_read_at_the_start),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
