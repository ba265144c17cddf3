/* openapi_internal: an operation of a description as the writer of skeletons wants it. */
#ifndef ADAPTER_OPENAPI_INTERNAL_H
#define ADAPTER_OPENAPI_INTERNAL_H

#include "adapter/openapi.h"
#include "adapter/openapi_find.h"

enum { IMPORT_NAME_SIZE = OPENAPI_NAME_MAX + 1 };

/* What a description is being turned into. */
enum { IMPORT_IDS_MAX = 5'000 };

struct import {
    json root;
    bool is_swagger;
    const struct openapi_options *options;
    struct buf *out;
    char (*names)[IMPORT_NAME_SIZE]; /* of actions that are written */
    size_t count;
    struct arena *arena;
    const char **ids; /* of all operations, up to IMPORT_IDS_MAX */
    size_t id_count;
};

/* A parameter of an action: where it goes, and under which name there. */
struct import_param {
    char name[IMPORT_NAME_SIZE];
    str wire; /* its name in the request */
    const char *in;
    json schema;
    bool is_required;
};

/* What its body is in a manifest. */
enum import_body {
    IMPORT_JSON,
    IMPORT_FORM,
    IMPORT_FILE,
    IMPORT_PARTS, /* nothing yet: no manifest sends a form of parts */
};

enum { IMPORT_HEADERS_MAX = 16 /* of one operation that are named */ };

struct operation {
    const char *method;
    str path;
    json item, self;
    struct import_param params[OPENAPI_PARAMS_MAX];
    size_t param_count;
    enum import_body body;
    const char *content_type;        /* of JSON and files of another type; NULL: as usual */
    bool is_whole_body;              /* it is one value, not members */
    str headers[IMPORT_HEADERS_MAX]; /* that are left out */
    size_t header_count;
};

/* What a reference means; JSON_INVALID for those into other files, and in circles. */
json import_resolve(const struct import *import, json node);
json import_member(const struct import *import, json map, const char *name);

/* "createUser-v2" becomes "create_user_v2"; always a name as manifests have them. */
void import_name(str text, const char *fallback, char name[static IMPORT_NAME_SIZE]);

/* A name for an action that no other has. */
void import_action_name(const struct import *import, str text, char name[static IMPORT_NAME_SIZE]);

/* Says whether a list of texts has this one. */
bool import_is_in_list(json list, str name);

/* Says whether `id` is among names that are separated by commas; NULL: all are. */
bool import_is_wanted(const char *list, str id);

/* Adds an operation to `ids`. */
void import_note_id(struct import *import, str id);

/* NOT_FOUND: one of the names in `list` is none of `ids`; the text names it, and the nearest. */
status import_check_wanted(const char *list, const char *const *ids, size_t count,
                           struct error *reterr);

/* The first line of a text, or a piece of it. */
str import_words(str text);

/* "create" for "post"; static. */
const char *import_effect_of(const char *method);

/* Pieces of a manifest: a text in double quotes, a schema of one level, a value that fits one, and
 * all that stands before the actions. */
void import_put_text(struct buf *out, str text);
void import_put_schema(struct buf *out, json schema);
void import_put_example_value(struct buf *out, json schema);
void import_put_top(const struct import *import);

/* Fills the parameters of an operation whose first four members are set. */
void operation_read(const struct import *import, struct operation *operation);

#endif
