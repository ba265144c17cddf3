/** base_url: where the requests of an adapter go: what its `http.base_url` yields. */
#ifndef ADAPTER_BASE_URL_H
#define ADAPTER_BASE_URL_H

#include "adapter/manifest.h"

/**
 * The address without slashes at its end, in the arena; empty if the manifest has none.
 * `connection` is named in errors; NULL: it is not known. FAILED_PRECONDITION: a setting that it is
 * made of is missing. INVALID_ARGUMENT: the expression fails, or yields no text.
 * RESOURCE_EXHAUSTED.
 */
status base_url_of(const struct manifest *manifest, json scope, const char *connection,
                   struct arena *arena, str *ret_url, struct error *reterr);

/** Says whether `url` leads to another port, or by another scheme, to the host of `base_url`: to
 * another service, which is not allowed because this one is. */
bool base_url_is_beside(str base_url, str url);

#endif
