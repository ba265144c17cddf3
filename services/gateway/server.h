/** server: takes HTTP requests, checks route, key, roles and body, and calls the handlers. */
#ifndef GATEWAY_SERVER_H
#define GATEWAY_SERVER_H

#include "gateway/api.h"
#include "httpd/httpd.h"

/** The callbacks of the HTTP server; their context is a struct api. */
extern const struct httpd_handlers server_handlers;

/** The operations that have a handler, for contract_load(); owned: free(). */
const char **server_operations(void);

#endif
