/** server: takes HTTP requests, checks route, key, roles and body, and calls the handlers. */
#ifndef GATEWAY_SERVER_H
#define GATEWAY_SERVER_H

#include "gateway/api/api.h"
#include "httpd/httpd.h"

/** The callbacks of the HTTP server; their context is a struct api. */
extern const struct httpd_handlers server_handlers;

/** Serves a call that no client has sent: its route is found by its method and path, its role and
 * body are checked as any other's. It has its request and its identity. */
void server_serve(struct api_call *call);

/** The operations that have a handler, for contract_load(); owned: free(). */
const char **server_operations(void);

#endif
