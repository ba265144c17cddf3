#include "tool-adapter/http/service_tls.h"

/* What is not set was optional: a connection that lacks more is not called. */
static str secret_of(const struct secret_source *secrets, const char *slot)
{
    str value = {};
    if (!slot || secrets->find(slot, &value, NULL, secrets->context) != STATUS_OK) return (str){};
    return value;
}

status service_tls_get(const struct manifest *manifest, const struct secret_source *secrets,
                       struct http_tls *room, const struct http_tls **ret_tls, struct error *reterr)
{
    *room         = (struct http_tls){.ca   = secret_of(secrets, manifest->tls_ca),
                                      .cert = secret_of(secrets, manifest->tls_cert),
                                      .key  = secret_of(secrets, manifest->tls_key)};
    bool is_there = room->ca.len > 0 || room->cert.len > 0;
    if ((room->cert.len > 0) != (room->key.len > 0)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "of certificate and key (`http.tls`) the connection has only one");
    }
    *ret_tls = is_there ? room : NULL;
    return STATUS_OK;
}
