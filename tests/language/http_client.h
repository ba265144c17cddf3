/** http_client: requests of the HTTP API, asked again while a killed service comes back. One
 * thread. */
#ifndef LANGUAGE_HTTP_CLIENT_H
#define LANGUAGE_HTTP_CLIENT_H

#include "cli/api.h"
#include "json/json.h"

enum { HTTP_CODE_SIZE = 64 };

struct http_client {
    struct cli cli; /* of which the namespace and the key may be changed between requests */
    struct api *api;
    char code[HTTP_CODE_SIZE]; /* of the last refusal */
};

/** `url` and `key` outlive the client. Owned: http_client_done(). */
status http_client_init(struct http_client *client, const char *url, const char *key,
                        struct error *reterr);
void http_client_done(struct http_client *client);

/** Asks until there is an answer or patience ends: UNAVAILABLE. `*ret_body` is owned, also of a
 * refusal, whose status is that of its HTTP status. */
status http_client_ask(struct http_client *client, const struct api_call *call, json *ret_body,
                       struct error *reterr);

/** The same with a body that is JSON; invalid: none. */
status http_client_ask_json(struct http_client *client, const char *method, const char *path,
                            json body, json *ret_body, struct error *reterr);

/** A POST whose answer does not matter. */
status http_client_tell(struct http_client *client, const char *path, json body,
                        struct error *reterr);

#endif
