#include "tool-adapter/browser/keys.h"

#include "base/attr.h"
#include "base/utf8.h"

#include <strings.h>

/* `code` is the number that Windows gives it, which pages read as `keyCode`. */
static const struct {
    const char *name, *text;
    int code;
} keys[] = {
    {"Enter", "\r", 13},     {"Tab", NULL, 9},       {"Escape", NULL, 27},
    {"Backspace", NULL, 8},  {"Delete", NULL, 46},   {"Space", " ", 32},
    {"ArrowLeft", NULL, 37}, {"ArrowUp", NULL, 38},  {"ArrowRight", NULL, 39},
    {"ArrowDown", NULL, 40}, {"Home", NULL, 36},     {"End", NULL, 35},
    {"PageUp", NULL, 33},    {"PageDown", NULL, 34}, {"Insert", NULL, 45},
    {"F1", NULL, 112},       {"F2", NULL, 113},      {"F3", NULL, 114},
    {"F4", NULL, 115},       {"F5", NULL, 116},      {"F6", NULL, 117},
    {"F7", NULL, 118},       {"F8", NULL, 119},      {"F9", NULL, 120},
    {"F10", NULL, 121},      {"F11", NULL, 122},     {"F12", NULL, 123},
};

static const struct {
    const char *name;
    int bit;
} modifiers[] = {{"Alt+", 1}, {"Control+", 2}, {"Meta+", 4}, {"Shift+", 8}};

static json event_new(const char *key, const char *code, int number, str text, int bits)
{
    json event = json_object_new(8);
    json_object_put_text(&event, "key", json_text_from(key));
    if (code) json_object_put_text(&event, "code", json_text_from(code));
    json_object_put_text(&event, "windowsVirtualKeyCode", json_int(number));
    json_object_put_text(&event, "modifiers", json_int(bits));
    if (text.len > 0) json_object_put_text(&event, "text", json_text_lossy(text));
    return event;
}

json key_of_character(str character)
{
    json text   = json_text_lossy(character);
    bool is_end = str_is(character, "\n");
    json event  = is_end ? event_new("Enter", "Enter", 13, str_from("\r"), 0)
                         : event_new(json_str(text).ptr, NULL, 0, character, 0);
    json_unref(text);
    return event;
}

/* With Control, Alt or Meta held a character is a command and writes nothing. */
static json character_new(str character, int bits)
{
    char upper[2] = {};
    json event    = key_of_character(character);
    if (bits == 0) return event;
    json_object_put_text(&event, "modifiers", json_int(bits));
    if (bits & ~8) (void)json_object_remove(&event, str_from("text"));
    unsigned char c = (unsigned char)character.ptr[0];
    if (character.len > 1 || c < ' ') return event;
    upper[0] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    json_object_put_text(&event, "windowsVirtualKeyCode", json_int(upper[0]));
    if (bits & 8 && !(bits & ~8)) {
        json_object_put_text(&event, "key", json_text_from(upper));
        json_object_put_text(&event, "text", json_text_from(upper));
    }
    return event;
}

/* Takes the modifiers off the front of `name`. */
static int take_modifiers(str *name)
{
    int bits = 0;
    for (size_t i = 0; i < ARRAY_LEN(modifiers); i++) {
        str prefix = str_from(modifiers[i].name);
        if (!str_starts_with(*name, prefix) || name->len == prefix.len) continue;
        bits |= modifiers[i].bit;
        *name = str_slice(*name, prefix.len, name->len);
        i     = SIZE_MAX; /* they stand in any order: from the first again */
    }
    return bits;
}

status key_read(str name, json *ret_event, struct error *reterr)
{
    str rest = name;
    int bits = take_modifiers(&rest);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!str_is(rest, keys[i].name)) continue;
        bool is_space = str_is(rest, "Space");
        bool is_text  = keys[i].text && !(bits & ~8);
        *ret_event    = event_new(is_space ? " " : keys[i].name, keys[i].name, keys[i].code,
                               str_from(is_text ? keys[i].text : ""), bits);
        return STATUS_OK;
    }
    if (rest.len > 0 && utf8_length(rest) == 1 && (unsigned char)rest.ptr[0] >= ' ') {
        *ret_event = character_new(rest, bits);
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "there is no key `" STR_FMT "`: one character, or a name such as Enter, Tab, "
                "ArrowDown, Control+A",
                STR_ARG(str_slice(name, 0, 40)));
}
