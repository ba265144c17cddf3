/*
 * Calls that leave by way of a proxy. The address that libcurl sees is the proxy's, so those of the
 * target are looked up here first, and all of them must be allowed: which one the proxy takes is
 * not known. Nor is whether it finds others, of a name server of its own: that is for its rules.
 */
#include "base/mem.h"
#include "http/http_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* --- The proxy -------------------------------------------------------------------------------- */

static status refuse(struct error *reterr, const char *why)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "proxy: %s; write http://[user:password@]host[:port]", why);
}

static status parse(str url, struct url *ret_url, struct error *reterr)
{
    if (url.len > HTTP_PROXY_MAX) return refuse(reterr, "the URL is too long");
    if (!url_parse(url, ret_url)) return refuse(reterr, "no http URL");
    if (ret_url->is_https) return refuse(reterr, "one that is spoken to by TLS is not supported");
    bool is_root = ret_url->path.len == 0 || str_is(ret_url->path, "/");
    if (is_root && ret_url->query.len == 0 && ret_url->fragment.len == 0) return STATUS_OK;
    return refuse(reterr, "the URL has a path");
}

/* Decoded, in the arena; NULL: it is not encoded as it should be. */
static const char *part_of(str text, struct arena *arena)
{
    CLEANUP(buf_done) struct buf decoded = buf_init(HTTP_PROXY_MAX);
    bool is_read                         = url_decode(&decoded, text, false);
    for (size_t i = 0; is_read && i < decoded.len; i++) {
        unsigned char c = (unsigned char)decoded.ptr[i];
        is_read         = c >= ' ' && c != 0x7f;
    }
    return is_read ? arena_strdup(arena, buf_str(&decoded)) : NULL;
}

static status read_user(str user_info, struct arena *arena, struct proxy *proxy,
                        struct error *reterr)
{
    const char *colon = memchr(user_info.ptr, ':', user_info.len);
    size_t len        = colon ? (size_t)(colon - user_info.ptr) : user_info.len;
    str password      = colon ? str_slice(user_info, len + 1, user_info.len) : (str){};
    proxy->user       = part_of(str_slice(user_info, 0, len), arena);
    proxy->password   = part_of(password, arena);
    if (proxy->user && proxy->password) return STATUS_OK;
    return refuse(reterr, "what is no letter or digit in user and password stands there as %XX");
}

status proxy_read(str url, struct arena *arena, const struct proxy **ret_proxy,
                  struct error *reterr)
{
    struct url parsed;
    char room[URL_HOST_MAX + 32];
    if (url.len == 0) return STATUS_OK;
    TRY(parse(url, &parsed, reterr));
    struct proxy *proxy = arena_alloc(arena, sizeof *proxy);
    bool is_v6          = memchr(parsed.host.ptr, ':', parsed.host.len) != NULL;
    (void)snprintf(room, sizeof room, "http://%s" STR_FMT "%s:%u", is_v6 ? "[" : "",
                   STR_ARG(parsed.host), is_v6 ? "]" : "", parsed.port);
    if (!proxy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "proxy: no memory for its URL");
    *proxy = (struct proxy){.url = arena_strdup(arena, str_from(room))};
    if (parsed.user_info.len > 0) TRY(read_user(parsed.user_info, arena, proxy, reterr));
    if (!proxy->url) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "proxy: no memory for its URL");
    *ret_proxy = proxy;
    return STATUS_OK;
}

status http_proxy_check(str url, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 * (size_t)HTTP_PROXY_MAX);
    const struct proxy *proxy                = NULL;
    if (url.len == 0) return refuse(reterr, "no http URL");
    return proxy_read(url, arena, &proxy, reterr);
}

str http_proxy_password(str url, struct arena *arena)
{
    const struct proxy *proxy = NULL;
    status code               = proxy_read(url, arena, &proxy, NULL);
    return code == STATUS_OK && proxy && proxy->user ? str_from(proxy->password) : (str){};
}

/* --- The target ------------------------------------------------------------------------------- */

struct proxied {
    struct names_question question;
};

static bool refuse_unseen(struct http_call *call)
{
    call->failure = HTTP_REFUSED;
    (void)snprintf(call->reason, sizeof call->reason,
                   "the name has more than %d addresses, so not all are checked",
                   NAMES_ADDRESSES_MAX);
    return false;
}

static bool fail_lookup(struct http_call *call, const char *reason)
{
    call->failure = HTTP_DNS;
    (void)snprintf(call->reason, sizeof call->reason, "%s", reason);
    return false;
}

static bool go_on(struct http_call *call, const struct net_addresses *addresses)
{
    if (addresses->count == 0) return fail_lookup(call, addresses->error);
    for (unsigned i = 0; i < addresses->count; i++) {
        struct egress_address address;
        bool is_known = egress_address_of(&addresses->list[i].any, &address);
        if (request_allows(call, is_known ? &address : NULL)) continue;
        call->failure = HTTP_REFUSED;
        return false;
    }
    if (!addresses->are_all) return refuse_unseen(call);
    return call_begin_curl(call);
}

static void answered(const struct net_addresses *addresses, void *context)
{
    struct http_call *call = context;
    free(TAKE(call->proxied));
    if (!go_on(call, addresses)) call_finish(call);
}

bool proxied_start(struct http_call *call)
{
    const struct net_addresses *addresses = NULL;
    struct proxied *proxied               = mem_new(1, sizeof *proxied);
    call->proxied                         = proxied;
    proxied->question = (struct names_question){.answered = answered, .context = call};
    switch (names_find(call->client->names, call->request.target.host, &proxied->question,
                       &addresses)) {
    case NAMES_ASKED: return true;
    case NAMES_BUSY: return fail_lookup(call, "too many names are looked up");
    case NAMES_KNOWN: break;
    }
    free(TAKE(call->proxied));
    return go_on(call, addresses);
}

void proxied_stop(struct http_call *call)
{
    if (!call->proxied) return;
    names_forget(&call->proxied->question);
    free(TAKE(call->proxied));
}
