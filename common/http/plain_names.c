#include "http/plain_names.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/url.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

/* What a thread has of a question. Whoever comes second, thread or loop, frees it or gives it up.
 */
struct asking {
    char host[URL_HOST_MAX + 1];
    struct loop *loop;
    struct loop_notice done;
    struct net_addresses addresses;
    pthread_mutex_t mutex; /* of the next two */
    bool is_done;
    struct name *name; /* NULL: nobody wants to know any more; but for that, the loop's */
};

struct name {
    struct names *names;
    struct net_addresses addresses;
    int64_t until_ms;
    struct asking *asking;               /* NULL: `addresses` are known */
    struct names_question *first, *last; /* who wants to know */
    bool is_telling;                     /* them; asking_done() is at it */
    size_t len;
    char host[URL_HOST_MAX + 1];
};

struct names {
    struct loop *loop;
    struct map *map; /* host -> struct name */
    unsigned asked;
};

/* --- In the thread ---------------------------------------------------------------------------- */

static void add(struct net_addresses *addresses, const struct addrinfo *info)
{
    union net_address *next = &addresses->list[addresses->count];
    if (info->ai_family == AF_INET && info->ai_addrlen == sizeof next->v4) {
        memcpy(&next->v4, info->ai_addr, sizeof next->v4);
    } else if (info->ai_family == AF_INET6 && info->ai_addrlen == sizeof next->v6) {
        memcpy(&next->v6, info->ai_addr, sizeof next->v6);
    } else {
        return;
    }
    addresses->count++;
}

static void resolve(const char *host, struct net_addresses *addresses)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list       = NULL;
    int failed                  = getaddrinfo(host, NULL, &hints, &list);
    const struct addrinfo *at   = failed ? NULL : list;
    for (; at && addresses->count < NAMES_ADDRESSES_MAX; at = at->ai_next) add(addresses, at);
    addresses->are_all = at == NULL;
    if (!failed) freeaddrinfo(list);
    addresses->error = failed ? gai_strerror(failed) : "no address of IP";
}

static void asking_free(struct asking *asking)
{
    (void)pthread_mutex_destroy(&asking->mutex);
    free(asking);
}

static void *ask(void *context)
{
    struct asking *asking = context;
    resolve(asking->host, &asking->addresses);
    (void)pthread_mutex_lock(&asking->mutex);
    asking->is_done = true;
    bool is_wanted  = asking->name != NULL;
    if (is_wanted) loop_notify(asking->loop, &asking->done);
    (void)pthread_mutex_unlock(&asking->mutex);
    if (!is_wanted) asking_free(asking);
    return NULL;
}

static bool start(struct asking *asking)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0) return false;
    int failed = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (failed == 0) failed = pthread_create(&thread, &attributes, ask, asking);
    (void)pthread_attr_destroy(&attributes);
    return failed == 0;
}

/* --- On the loop ------------------------------------------------------------------------------ */

static void name_free(struct name *name)
{
    ASSERT(!name->first);
    struct asking *asking = TAKE(name->asking);
    if (asking) {
        name->names->asked--;
        (void)pthread_mutex_lock(&asking->mutex);
        asking->name = NULL;
        bool is_done = asking->is_done;
        (void)pthread_mutex_unlock(&asking->mutex);
        if (is_done) { /* else it is the thread's alone from here on, and gone at any time */
            loop_notice_clear(name->names->loop, &asking->done);
            asking_free(asking);
        }
    }
    (void)map_remove(name->names->map, (str){.ptr = name->host, .len = name->len});
    free(name);
}

/* The notice of a question. Who hears of it may ask again, and give up others' questions. */
static void asking_done(void *context)
{
    struct asking *asking = context;
    struct name *name     = asking->name;
    (void)pthread_mutex_lock(&asking->mutex); /* its thread may still hold it */
    (void)pthread_mutex_unlock(&asking->mutex);
    name->asking    = NULL;
    name->addresses = asking->addresses;
    name->until_ms  = loop_now_ms(name->names->loop) + NAMES_KEPT_MS;
    name->names->asked--;
    asking_free(asking);
    name->is_telling = true;
    while (name->first) {
        struct names_question *question = name->first;
        names_forget(question);
        question->answered(&name->addresses, question->context);
    }
    name->is_telling = false;
    if (name->addresses.count == 0 && !name->asking) name_free(name);
}

static bool name_ask(struct name *name)
{
    struct names *names   = name->names;
    struct asking *asking = mem_new(1, sizeof *asking);
    asking->loop          = names->loop;
    asking->name          = name;
    asking->done          = (struct loop_notice){.run = asking_done, .context = asking};
    asking->mutex         = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    memcpy(asking->host, name->host, name->len);
    if (!start(asking)) {
        asking_free(asking);
        return false;
    }
    name->asking = asking;
    names->asked++;
    return true;
}

/* Makes room by forgetting what is the oldest: it is asked for again, where it is needed. */
static void forget_one(struct names *names)
{
    struct name *oldest = NULL;
    size_t cursor       = 0;
    str host            = {};
    void *value         = NULL;
    while (map_next(names->map, &cursor, &host, &value)) {
        struct name *name = value;
        if (name->asking || name->is_telling) continue;
        if (!oldest || name->until_ms < oldest->until_ms) oldest = name;
    }
    if (oldest) name_free(oldest);
}

static struct name *find_or_make(struct names *names, str host)
{
    struct name *name = map_get(names->map, host);
    if (name) return name;
    if (host.len > URL_HOST_MAX) return NULL;
    if (map_count(names->map) == NAMES_MAX) forget_one(names);
    name        = mem_new(1, sizeof *name);
    name->names = names;
    name->len   = host.len;
    memcpy(name->host, host.ptr, host.len);
    bool is_put = map_put(names->map, host, name);
    ASSERT(is_put);
    return name;
}

static void add_question(struct name *name, struct names_question *question)
{
    question->name = name;
    question->next = NULL;
    question->prev = name->last;
    if (name->last) {
        name->last->next = question;
    } else {
        name->first = question;
    }
    name->last = question;
}

void names_forget(struct names_question *question)
{
    struct name *name = TAKE(question->name);
    if (!name) return;
    if (question->prev) {
        question->prev->next = question->next;
    } else {
        name->first = question->next;
    }
    if (question->next) {
        question->next->prev = question->prev;
    } else {
        name->last = question->prev;
    }
}

enum names_answer names_find(struct names *names, str host, struct names_question *question,
                             const struct net_addresses **ret_addresses)
{
    struct name *name = find_or_make(names, host);
    if (!name) return NAMES_BUSY;
    if (!name->asking && name->until_ms > loop_now_ms(names->loop)) {
        *ret_addresses = &name->addresses;
        return NAMES_KNOWN;
    }
    if (!name->asking && (names->asked == NAMES_ASKED_MAX || !name_ask(name))) {
        name_free(name);
        return NAMES_BUSY;
    }
    add_question(name, question);
    return NAMES_ASKED;
}

struct names *names_new(struct loop *loop)
{
    struct names *names = mem_new(1, sizeof *names);
    names->loop         = loop;
    names->map          = map_new(NAMES_MAX);
    return names;
}

void names_free(struct names *names)
{
    if (!names) return;
    size_t cursor = 0;
    str host      = {};
    void *name    = NULL;
    while (map_next(names->map, &cursor, &host, &name)) name_free(name);
    map_free(names->map);
    free(names);
}
