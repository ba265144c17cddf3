/* Real TLS, against `openssl s_server` with a certificate made for this test: peers are verified.
 */
#include "http/http.h"

#include "cmocka.h"

#include "support/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PEM_MAX = 16 * 1024, TURNS_MAX = 3000, TURN_MS = 10 };

struct fixture {
    struct folder folder;
    char cert[FOLDER_PATH_MAX], key[FOLDER_PATH_MAX];
    char pem[PEM_MAX];
    pid_t server;
    FILE *output; /* of the server, which would die of a closed one */
    int port;
    struct loop *loop;
    struct egress_rules *rules;
    struct http_client *client;
};

/* Starts openssl; its output goes to `*ret_output`, or nowhere if that is NULL. */
static pid_t spawn_openssl(const char *const *arguments, int *ret_output)
{
    int fds[2];
    pid_t child = 0;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], 1), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    char *const *argv = (char *const *)(uintptr_t)arguments; /* not written to */
    int failed        = posix_spawnp(&child, "openssl", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (ret_output) {
        *ret_output = fds[0];
    } else {
        close(fds[0]);
    }
    return failed ? -1 : child;
}

static bool make_certificate(struct fixture *f)
{
    (void)snprintf(f->cert, sizeof f->cert, "%s", folder_join(&f->folder, "cert.pem").path);
    (void)snprintf(f->key, sizeof f->key, "%s", folder_join(&f->folder, "key.pem").path);
    const char *const arguments[] = {"openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:P-256",
                                     "-nodes",
                                     "-keyout",
                                     f->key,
                                     "-out",
                                     f->cert,
                                     "-days",
                                     "2",
                                     "-subj",
                                     "/CN=localhost",
                                     "-addext",
                                     "subjectAltName=DNS:localhost",
                                     NULL};
    pid_t child                   = spawn_openssl(arguments, NULL);
    int result                    = 0;
    if (child < 0) return false;
    return waitpid(child, &result, 0) == child && result == 0;
}

/* "ACCEPT 127.0.0.1:40123" is the first thing it says. */
static void start_server(struct fixture *f)
{
    const char *const arguments[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                                     f->cert,   "-key",     f->key,    "-www",        NULL};
    int output                    = -1;
    f->server                     = spawn_openssl(arguments, &output);
    assert_true(f->server > 0);
    f->output = fdopen(output, "r");
    assert_non_null(f->output);
    char line[256];
    while (f->port == 0 && fgets(line, sizeof line, f->output)) {
        const char *colon = strrchr(line, ':');
        if (strncmp(line, "ACCEPT", 6) == 0 && colon) f->port = (int)strtol(colon + 1, NULL, 10);
    }
    assert_true(f->port > 0);
}

static int set_up(void **state)
{
    static const char *const everywhere[] = {"127.0.0.0/8", "::1", NULL};
    const struct egress_options egress    = {.private_allow = everywhere};
    struct fixture *f                     = calloc(1, sizeof *f);
    f->folder                             = folder_new();
    *state                                = f;
    if (!make_certificate(f)) return 0; /* the test says that it is skipped */
    start_server(f);

    FILE *cert = fopen(f->cert, "re");
    assert_non_null(cert);
    assert_true(fread(f->pem, 1, sizeof f->pem - 1, cert) > 0);
    (void)fclose(cert);
    assert_int_equal(loop_new(NULL, &f->loop, NULL), STATUS_OK);
    assert_int_equal(egress_rules_new(&egress, &f->rules, NULL), STATUS_OK);
    const struct http_client_options options = {.loop = f->loop, .egress = f->rules};
    assert_int_equal(http_client_new(&options, &f->client, NULL), STATUS_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_client_free(f->client);
    egress_rules_free(f->rules);
    loop_free(f->loop);
    if (f->server > 0) {
        (void)kill(f->server, SIGKILL);
        (void)waitpid(f->server, NULL, 0);
        (void)fclose(f->output);
    }
    folder_remove(&f->folder);
    free(f);
    return 0;
}

struct outcome {
    bool is_done;
    enum http_failure failure;
    int http_status;
    bool was_sent;
};

static void on_done(const struct http_result *result, void *context)
{
    struct outcome *outcome = context;
    outcome->is_done        = true;
    outcome->failure        = result->failure;
    outcome->http_status    = result->answer.http_status;
    outcome->was_sent       = result->was_sent;
}

static struct outcome get(struct fixture *f, const char *host, const struct http_tls *tls)
{
    char url[128];
    (void)snprintf(url, sizeof url, "https://%s:%d/", host, f->port);
    struct outcome outcome              = {};
    const struct http_request request   = {.url = str_from(url), .tls = tls, .allow_private = true};
    const struct http_handlers handlers = {.on_done = on_done, .context = &outcome};
    assert_int_equal(http_call_start(f->client, &request, &handlers, NULL, NULL), STATUS_OK);
    for (int turns = 0; !outcome.is_done; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
    return outcome;
}

static void peers_are_verified(void **state)
{
    struct fixture *f = *state;
    if (f->server <= 0) {
        print_message("skipped: there is no openssl program\n");
        skip();
    }
    const struct http_tls own = {.ca = str_from(f->pem)};

    struct outcome trusted = get(f, "localhost", &own);
    assert_string_equal(http_failure_name(trusted.failure), "none");
    assert_int_equal(trusted.http_status, 200);

    struct outcome unknown = get(f, "localhost", NULL);
    assert_string_equal(http_failure_name(unknown.failure), "tls");
    assert_false(unknown.was_sent);

    struct outcome misnamed = get(f, "127.0.0.1", &own);
    assert_string_equal(http_failure_name(misnamed.failure), "tls");
    assert_false(misnamed.was_sent);
}

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(peers_are_verified, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
