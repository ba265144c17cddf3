#include "gateway/api/documents.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct documents {
    Pb__Document items[DOCUMENTS_COUNT_MAX]; /* texts are owned */
    Pb__Document *list[DOCUMENTS_COUNT_MAX];
    size_t count; /* with those of the round under way */
    unsigned rounds;

    /* The round under way. */
    pthread_mutex_t mutex; /* guards what follows, and `items` from `asked` on */
    ProtobufCBinaryData *credentials;
    size_t first; /* of this round */
    size_t asked; /* the next one to be asked for */
    size_t open;  /* without an answer, and one for whoever begins the round */
    size_t total; /* bytes of all texts */
    status code;  /* why nobody could be asked; OK: somebody was */
    struct error why;
    void (*again)(struct api_call *call);
};

/* --- life ---------------------------------------------------------------------------------------
 */

static struct documents *documents_new(void)
{
    struct documents *documents = mem_new(1, sizeof *documents);
    (void)pthread_mutex_init(&documents->mutex, NULL);
    for (size_t i = 0; i < DOCUMENTS_COUNT_MAX; i++) {
        pb__document__init(&documents->items[i]);
        documents->list[i] = &documents->items[i];
    }
    return documents;
}

static void credentials_free(struct documents *documents)
{
    for (size_t i = documents->first; documents->credentials && i < documents->count; i++) {
        free(documents->credentials[i - documents->first].data);
    }
    free(documents->credentials);
    documents->credentials = NULL;
}

void documents_free(struct documents *documents)
{
    if (!documents) return;
    credentials_free(documents);
    for (size_t i = 0; i < documents->count; i++) {
        const Pb__Document *item = &documents->items[i];
        free((void *)(uintptr_t)item->url);
        if (*item->failure) free((void *)(uintptr_t)item->failure);
        free(item->text.data);
    }
    (void)pthread_mutex_destroy(&documents->mutex);
    free(documents);
}

Pb__Document **documents_of(const struct api_call *call, size_t *ret_count)
{
    *ret_count = call->documents ? call->documents->count : 0;
    return call->documents ? call->documents->list : NULL;
}

/* --- a round ------------------------------------------------------------------------------------
 */

/* One document of the round, on its way to a tool-adapter and back. */
struct asking {
    struct api_call *call; /* a reference */
    size_t index;
};

/* The last answer is there. */
static void finish(struct api_call *call)
{
    struct documents *documents = call->documents;
    credentials_free(documents);
    if (documents->code != STATUS_OK) {
        api_fail(call, documents->code, &documents->why);
        return;
    }
    api_new_rpc_id(call); /* it is another question */
    documents->again(call);
}

/* Whoever holds the round open lets go; the last one ends it. */
static void release(struct api_call *call)
{
    struct documents *documents = call->documents;
    (void)pthread_mutex_lock(&documents->mutex);
    bool is_last = --documents->open == 0;
    (void)pthread_mutex_unlock(&documents->mutex);
    if (is_last) finish(call);
}

static void keep(struct documents *documents, Pb__Document *item, const Pb__FetchedDocument *answer)
{
    const char *failure = answer->failure;
    if (!*failure && answer->text.len > DOCUMENTS_TOTAL_MAX - documents->total) {
        failure = "with the others of the definition it has more than 4 MiB";
    }
    if (*failure) {
        item->failure = mem_dup(failure, strlen(failure));
        return;
    }
    documents->total += answer->text.len;
    item->text.len  = answer->text.len;
    item->text.data = (uint8_t *)mem_dup(answer->text.data, answer->text.len);
}

static void note_failure(struct documents *documents, status code, const char *why)
{
    if (documents->code != STATUS_OK) return;
    documents->code = code;
    (void)fail(&documents->why, code, "no document can be read: %s", why);
}

static void ask_next(struct api_call *call);

static void on_fetched(const struct rpc_answer *answer, void *context)
{
    struct asking asking        = *(struct asking *)context;
    struct documents *documents = asking.call->documents;
    free(context);
    (void)pthread_mutex_lock(&documents->mutex);
    if (answer->code == STATUS_OK) {
        keep(documents, &documents->items[asking.index], answer->message);
    } else {
        note_failure(documents, answer->code, answer->detail);
    }
    (void)pthread_mutex_unlock(&documents->mutex);
    ask_next(asking.call);
    release(asking.call);
    api_call_unref(asking.call);
}

static status fetch(struct api_call *call, size_t index, struct error *reterr)
{
    const struct documents *documents = call->documents;
    Pb__FetchDocument message         = PB__FETCH_DOCUMENT__INIT;
    message.url                       = documents->items[index].url;
    message.authentication_json       = documents->credentials[index - documents->first];
    struct asking *asking             = mem_new(1, sizeof *asking);
    *asking                           = (struct asking){.call = api_call_ref(call), .index = index};
    const struct rpc_request request  = {.service     = &pb__documents__descriptor,
                                         .method      = "Fetch",
                                         .message     = &message,
                                         .timeout_ms  = DOCUMENT_WAIT_MS,
                                         .request_id  = {},
                                         .traceparent = str_from(call->traceparent),
                                         .done        = on_fetched,
                                         .context     = asking};
    status code = call->api->tools ? rpc_client_call(call->api->tools, &request, NULL, reterr)
                                   : fail(reterr, STATUS_UNAVAILABLE,
                                          "this gateway knows no tool-adapter: set gateway.tools");
    if (code == STATUS_OK) return STATUS_OK;
    api_call_unref(call);
    free(asking);
    return code;
}

/* Asks for the next one, if there is one left. The caller holds the round open. */
static void ask_next(struct api_call *call)
{
    struct documents *documents = call->documents;
    for (;;) {
        (void)pthread_mutex_lock(&documents->mutex);
        bool has_next = documents->asked < documents->count;
        size_t index  = has_next ? documents->asked++ : 0;
        (void)pthread_mutex_unlock(&documents->mutex);
        if (!has_next) return;

        struct error error = {};
        status code        = fetch(call, index, &error);
        if (code == STATUS_OK) return;
        (void)pthread_mutex_lock(&documents->mutex);
        note_failure(documents, code, error.text);
        documents->open--; /* not the last: the caller's is left */
        (void)pthread_mutex_unlock(&documents->mutex);
    }
}

static void take_needs(struct documents *documents, Pb__DocumentNeed *const *needs, size_t count)
{
    documents->first       = documents->count;
    documents->asked       = documents->count;
    documents->open        = count + 1;
    documents->credentials = mem_new(count, sizeof *documents->credentials);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCBinaryData *secret        = &needs[i]->authentication_json;
        documents->credentials[i].len            = secret->len;
        documents->credentials[i].data           = (uint8_t *)mem_dup(secret->data, secret->len);
        documents->items[documents->count++].url = mem_dup(needs[i]->url, strlen(needs[i]->url));
    }
}

void documents_fetch(struct api_call *call, Pb__DocumentNeed *const *needs, size_t count,
                     void (*again)(struct api_call *call))
{
    if (!call->documents) call->documents = documents_new();
    struct documents *documents = call->documents;
    bool is_too_much            = count > DOCUMENTS_COUNT_MAX - documents->count;
    if (is_too_much || documents->rounds++ == DOCUMENTS_ROUNDS_MAX) {
        api_fail_with(call, "workflow_invalid", (str){}, "it names more than %d documents",
                      DOCUMENTS_COUNT_MAX);
        return;
    }
    documents->again = again;
    take_needs(documents, needs, count);
    for (size_t i = 0; i < count && i < DOCUMENTS_AT_ONCE; i++) ask_next(call);
    release(call);
}
