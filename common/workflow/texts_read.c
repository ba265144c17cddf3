/* Maps and lists of texts: headers, query parameters, arguments, environment variables. */
#include "workflow/compile.h"
#include "json/json_text.h"

void texts_read(struct reader *reader, json value, const char *what, const struct template **target)
{
    for (size_t i = 0; i < json_count(value) && json_is(value, JSON_OBJECT); i++) {
        json member = json_value_at(value, i);
        if (json_is(member, JSON_TEXT)) continue;
        str key     = json_key_at(value, i);
        size_t back = pointer_enter(reader, key);
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "%s values are texts, not %s", what,
                   kind_words(member.kind));
        if (json_is_number(member) || json_is_bool(member)) {
            json text = json_to_text_new(member);
            hint(reader, finding, "`" STR_FMT ": '" STR_FMT "'`", STR_ARG(shown(key)),
                 STR_ARG(json_str(text)));
            json_unref(text);
        }
        pointer_leave(reader, back);
    }
    template_map_read(reader, value, target);
}

void texts_list_read(struct reader *reader, json value, void *target)
{
    if (!expect_kind(reader, value, JSON_ARRAY, "this value")) return;
    for (size_t i = 0; i < json_count(value); i++) {
        json item = json_at(value, i);
        if (json_is(item, JSON_TEXT)) continue;
        size_t back = pointer_enter_index(reader, i);
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "the items here are texts, not %s",
                   kind_words(item.kind));
        if (json_is_number(item) || json_is_bool(item)) hint(reader, finding, "put it in quotes");
        pointer_leave(reader, back);
    }
    template_read(reader, value, target);
}

void template_object_read(struct reader *reader, json value, void *target)
{
    if (expect_kind(reader, value, JSON_OBJECT, "this value")) template_read(reader, value, target);
}
