/** standin_server: the world outside as an HTTP server on loopback, in a thread of its own. */
#ifndef LANGUAGE_STANDIN_SERVER_H
#define LANGUAGE_STANDIN_SERVER_H

#include "base/status.h"
#include "language/script.h"

#include <stdint.h>

struct standin_server;

/** Listens on a free port and answers as the script says; below /llm/v1 it is a provider of models
 * in OpenAI's form that answers as the function `llm.chat`. Owned. UNAVAILABLE. */
status standin_server_start(struct script *script, struct standin_server **ret_server,
                            struct error *reterr);
void standin_server_stopp(struct standin_server **server);

uint16_t standin_server_port(const struct standin_server *server);

#endif
