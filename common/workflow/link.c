/*
 * Documents at URLs. Reading does no I/O: a document is given, pinned, or noted as needed.
 *
 * A link is kept for each URL, whatever became of it, so that a document is read once, however
 * often it is named, and two functions that name each other are seen to be the same two.
 */
#include "workflow/link.h"

#include "schema/uri.h"
#include "workflow/compile.h"
#include "workflow/secrets.h"

#include "base/assert.h"
#include "json/json_text.h"

/* --- pins ------------------------------------------------------------------------------------- */

static char *text_keep(struct reader *reader, str text)
{
    char *copy = reader_alloc(reader, text.len + 1, 1);
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    return copy;
}

void pin_add(struct reader *reader, str name, json source)
{
    struct workflow_pin *pin = reader_alloc(reader, 1, sizeof *pin);

    pin->next              = reader->workflow->pins;
    pin->name              = text_keep(reader, name);
    pin->source            = source;
    reader->workflow->pins = pin;
}

bool pin_is_document(const struct workflow_pin *pin)
{
    return strstr(pin->name, "://") != NULL;
}

/* --- URLs ------------------------------------------------------------------------------------- */

static bool is_plain(str url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~') return false;
    }
    return true;
}

/* "https://host:port" of a URL. */
static str origin_of(str url)
{
    const char *start = memmem(url.ptr, url.len, "://", 3);
    size_t at         = start ? (size_t)(start - url.ptr) + 3 : url.len;
    while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?') at++;
    return str_slice(url, 0, at);
}

static bool has_scheme(str url)
{
    static const char *const schemes[] = {"https://", "http://", "file://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (str_starts_with(url, str_from(schemes[i])) && url.len > strlen(schemes[i])) return true;
    }
    return false;
}

bool link_url_check(struct reader *reader, str url)
{
    struct diagnostic *finding = NULL;
    if (!has_scheme(url) || !is_plain(url) || url.len > DOCUMENT_URL_MAX) {
        finding = refuse(reader, "V14", value_place(reader),
                         "`" STR_FMT "` is no address that a document can be read from",
                         STR_ARG(shown(url)));
        hint(reader, finding, "`https://host/…`, at most %d characters", DOCUMENT_URL_MAX);
        return false;
    }
    str origin = origin_of(url);
    if (!memchr(origin.ptr, '@', origin.len)) return true;
    finding = refuse(reader, "V14", value_place(reader),
                     "an address holds no credentials: it is stored with the workflow");
    hint(reader, finding, "`{ uri: …, authentication: { basic: … } }`");
    return false;
}

bool link_url(struct reader *reader, str reference, const char *what, struct buf *ret_url)
{
    buf_clear(ret_url);
    bool is_absolute = memmem(reference.ptr, reference.len, "://", 3) != NULL;
    const char *base = reader->source->url;
    if (!is_absolute && !base) {
        struct diagnostic *finding =
            refuse(reader, "V14", value_place(reader),
                   "`" STR_FMT "` is relative, and the definition has no address of its own",
                   STR_ARG(shown(reference)));
        hint(reader, finding, "write the whole address of %s: `https://…`", what);
        return false;
    }
    bool fits = uri_resolve(str_from(base ? base : ""), reference, ret_url);
    return link_url_check(reader, fits ? buf_str(ret_url) : reference); /* too long in any case */
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct link *link_find(struct reader *reader, str url)
{
    for (struct link *link = reader->links; link; link = link->next) {
        if (str_is(url, link->source.url)) return link;
    }
    return NULL;
}

/* The document that the value at hand stands in; NULL: the definition. */
static const struct link *link_here(const struct reader *reader)
{
    const struct link *link = reader->links;
    while (link && &link->source != reader->source) link = link->next;
    return link;
}

static struct link *link_new(struct reader *reader, str url, const struct template *authentication)
{
    const struct link *here = link_here(reader);
    struct link *link       = scratch_alloc(reader, 1, sizeof *link);
    bool is_related = here && str_equal(origin_of(str_from(here->source.url)), origin_of(url));

    link->next         = reader->links;
    link->source.url   = text_keep(reader, url);
    link->source.where = here ? here->source.where : value_place(reader);
    link->source.pointer =
        here ? here->source.pointer : text_keep(reader, buf_str(&reader->pointer));
    link->authentication = authentication || !is_related ? authentication : here->authentication;
    link->depth          = here ? here->depth + 1 : 1;
    reader->links        = link;
    reader->link_count++;
    return link;
}

/* The values become the workflow's own, aliases expanded. */
static bool take_value(struct reader *reader, struct link *link, json root)
{
    CLEANUP(buf_done) struct buf text = buf_init(DOCUMENTS_SIZE_MAX - reader->link_bytes);
    if (!json_print(root, JSON_COMPACT, &text)) {
        refuse(reader, "V01", value_place(reader),
               "with its aliases expanded, and with the others, this has more than %d bytes",
               DOCUMENTS_SIZE_MAX);
        return false;
    }
    json tree        = json_invalid();
    struct error why = {};
    if (json_parse(buf_str(&text), NULL, &tree, NULL, &why) != STATUS_OK) {
        refuse(reader, "V01", value_place(reader), "%s", why.text);
        return false;
    }
    reader->link_bytes += text.len;
    link->value                              = json_freeze(tree);
    reader_hold(reader, HOLDING_JSON)->value = link->value;
    pin_add(reader, str_from(link->source.url), link->value);
    return true;
}

/* Findings of a text are those of the reader, at the document's own lines. */
static void relay(struct reader *reader, const struct diagnostics *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct diagnostic *f    = &findings->items[i];
        const struct yaml_place where = {.line = f->line, .column = f->column};
        struct diagnostic *finding    = refuse(reader, f->code, where, "%s", f->detail);
        if (finding && *f->hint) hint(reader, finding, "%s", f->hint);
    }
}

static bool parse(struct reader *reader, struct link *link, str text)
{
    struct diagnostics *findings = diagnostics_new(reader->scratch);
    struct yaml_document *yaml   = NULL;
    struct error why             = {};
    status code                  = yaml_parse(text, findings, &yaml, &why);
    if (code == STATUS_OK) {
        link->yaml        = yaml;
        link->source.yaml = yaml;
        return take_value(reader, link, yaml_root(yaml));
    }
    relay(reader, findings);
    if (findings->count == 0) {
        refuse(reader, "V01", (struct yaml_place){.line = 1, .column = 1}, "%s", why.text);
    }
    return false;
}

static const struct document *document_find(const struct reader *reader, str url)
{
    for (size_t i = 0; i < reader->document_count; i++) {
        if (str_equal(reader->documents[i].url, url)) return &reader->documents[i];
    }
    return NULL;
}

static void need_add(struct reader *reader, const struct link *link)
{
    struct document_need *need = reader_alloc(reader, 1, sizeof *need);

    need->url            = link->source.url;
    need->authentication = link->authentication;
    need->pointer        = link->source.pointer;
    need->line           = link->source.where.line;
    need->column         = link->source.where.column;
    *reader->needs_end   = need;
    reader->needs_end    = &need->next;
}

static enum link_state fill(struct reader *reader, struct link *link)
{
    str url     = str_from(link->source.url);
    json pinned = json_get(reader->pins, url);
    if (json_is(pinned, JSON_INVALID)) {
        const struct document *document = document_find(reader, url);
        if (!document && !reader->may_need) return LINK_ABSENT;
        if (!document) {
            need_add(reader, link);
            return LINK_NEEDED;
        }
        link->failure = document->failure;
        if (link->failure) return LINK_FAILED;
        return parse(reader, link, document->text) ? LINK_OPEN : LINK_REFUSED;
    }
    return take_value(reader, link, pinned) ? LINK_OPEN : LINK_REFUSED;
}

static bool is_within_limits(struct reader *reader, str url)
{
    const struct link *here = link_here(reader);
    if (here && here->depth >= DOCUMENT_DEPTH_MAX) {
        refuse(reader, "V01", value_place(reader),
               "`" STR_FMT "`: documents name documents more than %d deep", STR_ARG(shown(url)),
               DOCUMENT_DEPTH_MAX);
        return false;
    }
    if (reader->link_count < DOCUMENTS_MAX) return true;
    refuse(reader, "V01", value_place(reader), "a definition names at most %d documents",
           DOCUMENTS_MAX);
    return false;
}

const struct link *link_open(struct reader *reader, str url, const struct template *authentication)
{
    struct link *link = link_find(reader, url);
    if (link) return link;
    if (!link_url_check(reader, url) || !is_within_limits(reader, url)) return NULL;
    link = link_new(reader, url, authentication);

    struct visit visit = visit_begin(reader, &link->source, "");
    link->state        = fill(reader, link);
    visit_end(reader, &visit);
    return link;
}

void link_refuse(struct reader *reader, const struct link *link)
{
    struct diagnostic *finding = NULL;
    switch (link->state) {
    case LINK_OPEN:
    case LINK_NEEDED:
    case LINK_REFUSED: return;
    case LINK_FAILED:
        refuse(reader, "V14", value_place(reader), "`%.300s` cannot be read: %s", link->source.url,
               link->failure);
        return;
    case LINK_ABSENT:
        finding =
            refuse(reader, "V14", value_place(reader), "`%.300s` is not at hand", link->source.url);
        hint(reader, finding, "a server reads it when the workflow is registered");
        return;
    }
}

void links_done(struct reader *reader)
{
    for (struct link *link = reader->links; link; link = link->next) {
        yaml_document_free(link->yaml);
    }
}

/* --- reading elsewhere ------------------------------------------------------------------------ */

struct visit visit_begin(struct reader *reader, const struct source *source, const char *pointer)
{
    struct visit visit = {.source = reader->source,
                          .jump   = pointer_jump(reader, str_from(pointer))};
    reader->source     = source;
    return visit;
}

void visit_end(struct reader *reader, struct visit *visit)
{
    reader->source = visit->source;
    pointer_return(reader, &visit->jump);
}

/* --- endpoints of documents ------------------------------------------------------------------- */

static void fixed_uri_read(struct reader *reader, json value, void *target)
{
    const char *text = NULL;
    text_read(reader, value, &text);
    if (!text) return;
    if (is_expression(value) || strchr(text, '{')) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader),
                   "this is read when the workflow is registered: nothing can be computed in it");
        hint(reader, finding, "write the whole address: `https://…`");
        return;
    }
    *(str *)target = str_from(text);
}

static void fixed_authentication_read(struct reader *reader, json value, void *target)
{
    unsigned use       = reader->secret_use;
    reader->secret_use = SECRET_SENT;
    authentication_read(reader, value, target);
    reader->secret_use = use;
}

static const struct field endpoint_fields[] = {
    {"uri", fixed_uri_read, offsetof(struct fixed_endpoint, uri), REQUIRED},
    {"authentication", fixed_authentication_read, offsetof(struct fixed_endpoint, authentication),
     PLACE_DOCUMENT},
};
static const struct object_kind endpoint_kind = {
    .what        = "an endpoint",
    .fields      = endpoint_fields,
    .field_count = ARRAY_LEN(endpoint_fields),
    .synonyms    = endpoint_synonyms,
};

void fixed_endpoint_read(struct reader *reader, json value, void *target)
{
    struct fixed_endpoint *endpoint = target;
    if (json_is(value, JSON_OBJECT)) {
        (void)object_read(reader, &endpoint_kind, value, endpoint);
    } else {
        fixed_uri_read(reader, value, &endpoint->uri);
    }
}
