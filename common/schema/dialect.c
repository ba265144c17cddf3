/* The drafts of JSON Schema: what `$schema` names. */
#include "schema/schema_internal.h"

const struct schema_dialect schema_dialects[DRAFT_COUNT] = {
    [DRAFT_4] =
        {
            .draft         = DRAFT_4,
            .name          = "draft-04",
            .uri           = "http://json-schema.org/draft-04/schema",
            .vocabularies  = VOCABULARY_DEFAULT,
            .ref_is_alone  = true,
            .id_has_anchor = true,
            .meta_draft    = DRAFT_DEFAULT,
            .self          = {"$ref", "#"},
        },
    [DRAFT_6] =
        {
            .draft         = DRAFT_6,
            .name          = "draft-06",
            .uri           = "http://json-schema.org/draft-06/schema",
            .vocabularies  = VOCABULARY_DEFAULT,
            .ref_is_alone  = true,
            .id_has_anchor = true,
            .meta_draft    = DRAFT_DEFAULT,
            .self          = {"$ref", "#"},
        },
    [DRAFT_7] =
        {
            .draft         = DRAFT_7,
            .name          = "draft-07",
            .uri           = "http://json-schema.org/draft-07/schema",
            .vocabularies  = VOCABULARY_DEFAULT,
            .ref_is_alone  = true,
            .id_has_anchor = true,
            .meta_draft    = DRAFT_DEFAULT,
            .self          = {"$ref", "#"},
        },
    [DRAFT_2019_09] =
        {
            .draft        = DRAFT_2019_09,
            .name         = "2019-09",
            .uri          = "https://json-schema.org/draft/2019-09/schema",
            .vocabularies = VOCABULARY_DEFAULT,
            .meta_draft   = DRAFT_2019_09,
            .self         = {"$recursiveRef", "#"},
        },
    [DRAFT_2020_12] =
        {
            .draft            = DRAFT_2020_12,
            .name             = "2020-12",
            .uri              = "https://json-schema.org/draft/2020-12/schema",
            .vocabularies     = VOCABULARY_DEFAULT,
            .contains_is_seen = true,
            .meta_draft       = DRAFT_2020_12,
            .self             = {"$dynamicRef", "#meta"},
        },
};

/* http and https are taken for each other: the page is the same, and both are written. */
static str without_scheme(str uri)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        str scheme = str_from(schemes[i]);
        if (str_starts_with(uri, scheme)) return str_slice(uri, scheme.len, uri.len);
    }
    return uri;
}

const struct schema_dialect *schema_dialect_find(str uri)
{
    if (uri.len > 0 && uri.ptr[uri.len - 1] == '#') uri = str_slice(uri, 0, uri.len - 1);
    for (enum draft draft = 0; draft < DRAFT_COUNT; draft++) {
        str known = str_from(schema_dialects[draft].uri);
        if (str_equal(without_scheme(uri), without_scheme(known))) return &schema_dialects[draft];
    }
    return NULL;
}

static const struct {
    const char *uri;
    unsigned bits;
    unsigned required_bits; /* when the meta-schema says `true` */
} vocabularies[] = {
    {"https://json-schema.org/draft/2019-09/vocab/core", VOCABULARY_CORE, 0},
    {"https://json-schema.org/draft/2019-09/vocab/applicator",
     VOCABULARY_APPLICATOR | VOCABULARY_UNEVALUATED, 0},
    {"https://json-schema.org/draft/2019-09/vocab/validation", VOCABULARY_VALIDATION, 0},
    {"https://json-schema.org/draft/2019-09/vocab/meta-data", VOCABULARY_META_DATA, 0},
    {"https://json-schema.org/draft/2019-09/vocab/format", VOCABULARY_FORMAT,
     VOCABULARY_FORMAT_ASSERT},
    {"https://json-schema.org/draft/2019-09/vocab/content", VOCABULARY_CONTENT, 0},
    {"https://json-schema.org/draft/2020-12/vocab/core", VOCABULARY_CORE, 0},
    {"https://json-schema.org/draft/2020-12/vocab/applicator", VOCABULARY_APPLICATOR, 0},
    {"https://json-schema.org/draft/2020-12/vocab/unevaluated", VOCABULARY_UNEVALUATED, 0},
    {"https://json-schema.org/draft/2020-12/vocab/validation", VOCABULARY_VALIDATION, 0},
    {"https://json-schema.org/draft/2020-12/vocab/meta-data", VOCABULARY_META_DATA, 0},
    {"https://json-schema.org/draft/2020-12/vocab/format-annotation", VOCABULARY_FORMAT, 0},
    {"https://json-schema.org/draft/2020-12/vocab/format-assertion",
     VOCABULARY_FORMAT | VOCABULARY_FORMAT_ASSERT, 0},
    {"https://json-schema.org/draft/2020-12/vocab/content", VOCABULARY_CONTENT, 0},
};

unsigned schema_vocabulary_bits(str uri, bool is_required)
{
    for (size_t i = 0; i < ARRAY_LEN(vocabularies); i++) {
        if (!str_is(uri, vocabularies[i].uri)) continue;
        return vocabularies[i].bits | (is_required ? vocabularies[i].required_bits : 0);
    }
    return 0;
}
