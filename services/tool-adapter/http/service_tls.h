/** service_tls: the authority and the certificate of ours that a manifest names for its service. */
#ifndef TOOL_ADAPTER_SERVICE_TLS_H
#define TOOL_ADAPTER_SERVICE_TLS_H

#include "adapter/scope.h"
#include "http/http.h"

/** `*ret_tls` is NULL if the connection has none of them, else `room`, whose texts live as long as
 * the secrets. FAILED_PRECONDITION: a certificate without its key, or the other way round. */
status service_tls_get(const struct manifest *manifest, const struct secret_source *secrets,
                       struct http_tls *room, const struct http_tls **ret_tls,
                       struct error *reterr);

#endif
