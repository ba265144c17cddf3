/*
 * From a name to a connection, for one call. Addresses are tried in the order the system gives
 * them; one that does not answer at once is not given up for the next (RFC 8305), and the first
 * connection that stands is taken. The egress rules are asked about each when it is dialled.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "http/plain_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES_MAX = 8 }; /* addresses of a name that are tried */

struct dial {
    struct http_call *call;
    struct names_question question;
    struct net_addresses addresses;
    unsigned next;
    unsigned try_count;
    struct plain_conn *tries[TRIES_MAX];
    struct loop_timer timer; /* to the next address */
    int last_errno;
};

static void close_tries(struct dial *dial)
{
    while (dial->try_count > 0) plain_conn_close(dial->tries[--dial->try_count]);
}

void dial_free(struct dial *dial)
{
    if (!dial) return;
    names_forget(&dial->question);
    loop_timer_clear(dial->call->client->loop, &dial->timer);
    close_tries(dial);
    free(dial);
}

/* No address is left: says why. */
static bool fail_dial(struct dial *dial)
{
    struct http_call *call = dial->call;
    if (call->is_refused) return plain_fail(call, HTTP_REFUSED, NULL);
    errno = dial->last_errno;
    char reason[sizeof call->reason];
    (void)snprintf(reason, sizeof reason, "%m");
    return plain_fail(call, HTTP_CONNECT, reason);
}

/* False: none is left and none is being tried. */
static bool try_next(struct dial *dial)
{
    struct http_call *call = dial->call;
    struct plain *plain    = call->client->plain;
    while (dial->next < dial->addresses.count) {
        const union net_address *address = &dial->addresses.list[dial->next++];
        struct egress_address target;
        bool is_known = egress_address_of(&address->any, &target);
        if (!request_allows(call, is_known ? &target : NULL)) continue;
        struct plain_conn *conn = plain_conn_open(plain, address, dial);
        if (!conn) {
            dial->last_errno = errno;
            continue;
        }
        conn->address                  = target;
        dial->tries[dial->try_count++] = conn;
        if (dial->next < dial->addresses.count) {
            loop_timer_set(plain->loop, &dial->timer,
                           loop_now_ms(plain->loop) + PLAIN_NEXT_ADDRESS_MS);
        }
        return true;
    }
    return dial->try_count > 0 || fail_dial(dial);
}

static void time_for_next(void *context)
{
    struct dial *dial = context;
    if (!try_next(dial)) call_finish(dial->call);
}

void dial_ready(struct dial *dial, struct plain_conn *conn)
{
    struct http_call *call = dial->call;
    unsigned at            = 0;
    while (dial->tries[at] != conn) at++;
    ASSERT(at < dial->try_count);
    dial->tries[at] = dial->tries[--dial->try_count];
    int failed      = plain_conn_error(conn);
    if (failed == 0) {
        dial_free(TAKE(call->plain->dial));
        conn->dial = NULL;
        if (!plain_dialled(call, conn)) call_finish(call);
        return;
    }
    plain_conn_close(conn);
    dial->last_errno = failed;
    if (!try_next(dial)) call_finish(call);
}

static bool have_addresses(struct dial *dial, const struct net_addresses *addresses)
{
    if (addresses->count == 0) return plain_fail(dial->call, HTTP_DNS, addresses->error);
    dial->addresses = *addresses;
    if (addresses->count > TRIES_MAX) dial->addresses.count = TRIES_MAX;
    for (unsigned i = 0; i < dial->addresses.count; i++) {
        in_port_t port             = htons(dial->call->request.target.port);
        union net_address *address = &dial->addresses.list[i];
        if (address->any.sa_family == AF_INET) {
            address->v4.sin_port = port;
        } else {
            address->v6.sin6_port = port;
        }
    }
    return try_next(dial);
}

static void answered(const struct net_addresses *addresses, void *context)
{
    struct dial *dial = context;
    if (!have_addresses(dial, addresses)) call_finish(dial->call);
}

/* An address as text needs no thread. */
static bool read_address(str host, struct net_addresses *ret_addresses)
{
    char text[EGRESS_ADDRESS_MAX];
    if (host.len >= sizeof text) return false;
    (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(host));
    union net_address *first = &ret_addresses->list[0];
    ret_addresses->count     = 1;
    if (inet_pton(AF_INET, text, &first->v4.sin_addr) == 1) {
        first->v4.sin_family = AF_INET;
        return true;
    }
    first->v6.sin6_family = AF_INET6;
    return inet_pton(AF_INET6, text, &first->v6.sin6_addr) == 1;
}

bool dial_start(struct http_call *call)
{
    struct dial *dial            = mem_new(1, sizeof *dial);
    str host                     = call->request.target.host;
    dial->call                   = call;
    dial->question               = (struct names_question){.answered = answered, .context = dial};
    dial->timer                  = (struct loop_timer){.fire = time_for_next, .context = dial};
    call->plain->dial            = dial;
    struct net_addresses literal = {};
    const struct net_addresses *addresses = &literal;
    if (read_address(host, &literal)) return have_addresses(dial, addresses);
    switch (names_find(call->client->names, host, &dial->question, &addresses)) {
    case NAMES_KNOWN: return have_addresses(dial, addresses);
    case NAMES_ASKED: return true;
    case NAMES_BUSY: break;
    }
    return plain_fail(call, HTTP_DNS, "too many names are looked up");
}
