#include "language/tls_front.h"

#include "base/buf.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES_MAX = 64 << 10, LINE_SIZE = 64 };

/* Starts a program with pipes to its input and from its output; -1 if it cannot be started. */
static pid_t spawn(const char *const *arguments, int *ret_input, int *ret_output)
{
    int in[2]   = {-1, -1};
    int out[2]  = {-1, -1};
    pid_t child = -1;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) return -1;
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *const *argv = (char *const *)(uintptr_t)arguments; /* not written to */
    if (posix_spawnp(&child, arguments[0], &actions, NULL, argv, environ) != 0) child = -1;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    *ret_input  = in[1];
    *ret_output = out[0];
    return child;
}

static status run(const char *const *arguments, struct error *reterr)
{
    int input   = -1;
    int output  = -1;
    int how     = 0;
    pid_t child = spawn(arguments, &input, &output);
    (void)close(input);
    (void)close(output);
    if (child > 0 && waitpid(child, &how, 0) == child && how == 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "%s %s does not work", arguments[0], arguments[1]);
}

static status make_certificate(const struct tls_front *front, const char *key,
                               const char *const *hosts, size_t host_count, struct error *reterr)
{
    CLEANUP(buf_done) struct buf names = buf_init(NAMES_MAX);
    (void)buf_put_text(&names, "subjectAltName=DNS:localhost");
    for (size_t i = 0; i < host_count; i++) {
        (void)buf_printf(&names, ",DNS:%.*s", (int)strcspn(hosts[i], ":"), hosts[i]);
    }
    const char *const arguments[] = {"openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:P-256",
                                     "-nodes",
                                     "-keyout",
                                     key,
                                     "-out",
                                     front->certificate,
                                     "-days",
                                     "2",
                                     "-subj",
                                     "/CN=stand-in",
                                     "-addext",
                                     names.ptr,
                                     NULL};
    return run(arguments, reterr);
}

static status read_port(int output, struct tls_front *front, struct error *reterr)
{
    char line[LINE_SIZE] = "";
    ssize_t size         = read(output, line, sizeof line - 1);
    long port            = size > 0 ? strtol(line, NULL, 10) : 0;
    if (port <= 0 || port > UINT16_MAX) {
        return fail(reterr, STATUS_UNAVAILABLE, "node does not run tests/language/front.mjs");
    }
    front->port = (uint16_t)port;
    return STATUS_OK;
}

status tls_front_start(struct tls_front *front, const char *folder, const char *const *hosts,
                       size_t host_count, uint16_t port, struct error *reterr)
{
    *front = (struct tls_front){.input = -1};
    char key[TLS_FRONT_PATH_SIZE];
    char number[LINE_SIZE];
    (void)snprintf(front->certificate, sizeof front->certificate, "%s/cert.pem", folder);
    (void)snprintf(key, sizeof key, "%s/key.pem", folder);
    (void)snprintf(number, sizeof number, "%u", port);
    TRY(make_certificate(front, key, hosts, host_count, reterr));
    const char *const arguments[] = {
        "node", LANGUAGE_FOLDER "/front.mjs", front->certificate, key, number, NULL};
    int output  = -1;
    front->pid  = spawn(arguments, &front->input, &output);
    status code = read_port(output, front, reterr);
    (void)close(output);
    return code;
}

void tls_front_stop(struct tls_front *front)
{
    if (front->pid <= 0) return;
    (void)close(front->input);
    (void)waitpid(front->pid, NULL, 0);
    front->pid = 0;
}
