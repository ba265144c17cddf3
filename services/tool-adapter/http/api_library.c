#include "tool-adapter/http/api_library.h"

#include "adapter/openapi_request.h"
#include "base/mem.h"
#include "http/url.h"

#include <assert.h>
#include <stdlib.h>

struct api_library {
    struct api_documents *documents;
    json arguments; /* owned */
    api_library_fn *done;
    void *context;
    json description; /* owned; JSON_INVALID: not there yet */
    char *url;        /* where it came from; owned */
    struct openapi_part parts[API_LIBRARY_SEARCHED_MAX + API_LIBRARY_PARTS_MAX]; /* owned, with
                                                                                  * their URLs */
    size_t part_count, values;
    size_t size;                    /* of all, in bytes */
    size_t searched;                /* of them, for the operation */
    struct buf wanted;              /* the document that is asked for */
    bool is_search;                 /* for the operation */
    struct api_document_wait *wait; /* NULL: none */
    bool is_gathering, has_failed;
    status code;
    struct error error;
};

struct api_library *api_library_new(struct api_documents *documents, json arguments,
                                    api_library_fn *done, void *context)
{
    struct api_library *library = mem_new(1, sizeof *library);
    library->documents          = documents;
    library->arguments          = json_ref(arguments);
    library->done               = done;
    library->context            = context;
    library->wanted             = buf_init(HTTP_URL_MAX);
    return library;
}

void api_library_freep(struct api_library **ref)
{
    struct api_library *library = *ref;
    if (!library) return;
    if (library->wait) api_documents_cancel(library->wait);
    for (size_t i = 0; i < library->part_count; i++) {
        free((char *)(uintptr_t)library->parts[i].url.ptr);
        json_unref(library->parts[i].root);
    }
    json_unref(library->arguments);
    json_unref(library->description);
    free(library->url);
    buf_done(&library->wanted);
    free(library);
    *ref = NULL;
}

/* --- requests --------------------------------------------------------------------------------- */

/* `asking` gets what is missed; NULL: nobody asks. */
static status make(const struct api_library *library, json arguments, struct api_library *asking,
                   json *ret_request, struct error *reterr)
{
    json id                        = json_get_text(arguments, "operationId");
    const struct openapi_call call = {.description  = library->description,
                                      .document_url = str_from(library->url),
                                      .operation_id =
                                          json_is(id, JSON_TEXT) ? json_str(id) : (str){.ptr = ""},
                                      .parameters = json_get_text(arguments, "parameters"),
                                      .parts      = library->parts,
                                      .part_count = library->part_count,
                                      .wanted     = asking ? &asking->wanted : NULL,
                                      .is_search  = asking ? &asking->is_search : NULL};
    return openapi_request_new(&call, ret_request, reterr);
}

status api_library_request_new(const struct api_library *library, json arguments, json *ret_request,
                               struct error *reterr)
{
    return make(library, arguments, NULL, ret_request, reterr);
}

/* What it does not have, in `wanted`. */
static void look(struct api_library *library)
{
    CLEANUP(json_unrefp) json request = json_invalid();
    buf_clear(&library->wanted);
    library->is_search = false;
    (void)!make(library, library->arguments, library, &request, NULL);
}

/* --- documents -------------------------------------------------------------------------------- */

static void fail_with(struct api_library *library, status code, const char *what, const char *why)
{
    library->has_failed = true;
    library->code       = fail(&library->error, code, "/document: %s%s", what, why);
}

static void keep_part(struct api_library *library, json document, str url)
{
    struct openapi_part *part = &library->parts[library->part_count++];
    part->url.ptr             = mem_dup(library->wanted.ptr, library->wanted.len);
    part->url.len             = library->wanted.len;
    part->root                = openapi_part_new(document, url, &library->values);
    library->searched += library->is_search;
    bool fits = library->values <= API_LIBRARY_VALUES_MAX && library->size <= API_LIBRARY_SIZE_MAX;
    if (fits) return;
    fail_with(library, STATUS_RESOURCE_EXHAUSTED, "it is too large",
              ", with the documents that it refers to");
}

static void go_on(struct api_library *library);

static void on_document(status code, json document, str url, size_t size, const struct error *why,
                        void *context)
{
    struct api_library *library = context;
    bool is_part                = library->wanted.len > 0;
    library->wait               = NULL;
    library->size += size;
    if (code != STATUS_OK) {
        fail_with(library, code, is_part ? "a document that it refers to: " : "", why->text);
    } else if (is_part) {
        keep_part(library, document, url);
    } else {
        library->description = json_ref(document);
        library->url         = mem_dup(url.ptr, url.len);
    }
    if (!library->is_gathering) go_on(library);
}

/* Who may see the description is nobody elsewhere. */
static json endpoint_new(const struct api_library *library)
{
    json given          = json_get_text(json_get_text(library->arguments, "document"), "endpoint");
    json authentication = json_get_text(given, "authentication");
    json uri            = json_get_text(given, "uri");
    json endpoint       = json_object_new(2);
    struct url own      = {};
    struct url other    = {};
    if (library->wanted.len == 0) {
        json_unref(endpoint);
        return json_ref(given);
    }
    json_object_put_text(&endpoint, "uri", json_text_lossy(buf_str(&library->wanted)));
    bool is_own = json_is(uri, JSON_TEXT) && url_parse(json_str(uri), &own) &&
                  url_parse(buf_str(&library->wanted), &other) && url_same_origin(&own, &other);
    if (is_own && !json_is(authentication, JSON_INVALID)) {
        json_object_put_text(&endpoint, "authentication", json_ref(authentication));
    }
    return endpoint;
}

static void ask(struct api_library *library)
{
    CLEANUP(json_unrefp) json endpoint = endpoint_new(library);
    struct api_document_wait *wait =
        api_documents_ask(library->documents, endpoint, on_document, library);
    if (wait) library->wait = wait; /* else it was there, or cannot be had */
}

/* For one more; else it has failed. */
static bool has_room(struct api_library *library)
{
    static_assert((int)API_LIBRARY_PARTS_MAX == 32 && (int)API_LIBRARY_SEARCHED_MAX == 128);
    size_t needed = library->part_count - library->searched;
    if (library->is_search && library->searched == API_LIBRARY_SEARCHED_MAX) {
        fail_with(library, STATUS_RESOURCE_EXHAUSTED, "its operation is in none of ",
                  "the first 128 documents that its paths refer to");
        return false;
    }
    if (!library->is_search && needed == API_LIBRARY_PARTS_MAX) {
        fail_with(library, STATUS_RESOURCE_EXHAUSTED, "its operation needs more than ",
                  "32 other documents");
        return false;
    }
    return true;
}

static void go_on(struct api_library *library)
{
    bool is_complete      = false;
    library->is_gathering = true;
    while (!library->wait && !library->has_failed && !is_complete) {
        bool is_first = json_is(library->description, JSON_INVALID);
        if (!is_first) look(library);
        is_complete = !is_first && library->wanted.len == 0;
        if (is_complete) break;
        if (has_room(library)) ask(library);
    }
    library->is_gathering = false;
    if (library->wait) return;
    library->done(library->code, &library->error, library->context);
}

void api_library_gather(struct api_library *library)
{
    go_on(library);
}
