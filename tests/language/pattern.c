#include "language/pattern.h"

#include <stdlib.h>
#include <string.h>

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_quote(char byte)
{
    return byte == '\'' || byte == '"';
}

/* Bytes of the quoted text at the start, quotes included; 0: there is none. */
static size_t quoted_size(str text)
{
    if (text.len < 2 || !is_quote(text.ptr[0])) return 0;
    const char *end = memchr(text.ptr + 1, text.ptr[0], text.len - 1);
    return end ? (size_t)(end - text.ptr) + 1 : 0;
}

static size_t list_size(str text)
{
    size_t size = 0;
    for (;;) {
        size_t item = quoted_size(str_slice(text, size, text.len));
        if (item == 0) return 0;
        size += item;
        size_t next = size;
        if (next < text.len && text.ptr[next] == ',') next++;
        while (next < text.len && text.ptr[next] == ' ') next++;
        if (next == size || next >= text.len || !is_quote(text.ptr[next])) return size;
        size = next;
    }
}

static size_t word_size(str text)
{
    size_t size = 0;
    while (size < text.len && !strchr(" ,:", text.ptr[size])) size++;
    return size;
}

/* A name of a function or path may hold colons; a final one is the step's. */
static size_t name_size(str text)
{
    size_t size = 0;
    while (size < text.len && text.ptr[size] != ' ') size++;
    while (size > 0 && (text.ptr[size - 1] == ':' || text.ptr[size - 1] == ',')) size--;
    return size;
}

static size_t number_size(str text)
{
    size_t size = 0;
    while (size < text.len && is_digit(text.ptr[size])) size++;
    return size;
}

static const struct unit {
    const char *name;
    int64_t us;
} units[] = {
    {"milliseconds", 1'000},
    {"millisecond", 1'000},
    {"seconds", 1'000'000},
    {"second", 1'000'000},
    {"minutes", INT64_C(60'000'000)},
    {"minute", INT64_C(60'000'000)},
    {"hours", INT64_C(3'600'000'000)},
    {"hour", INT64_C(3'600'000'000)},
    {"days", INT64_C(86'400'000'000)},
    {"day", INT64_C(86'400'000'000)},
};

static const struct unit *unit_at(str text)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_starts_with(text, str_from(units[i].name))) return &units[i];
    }
    return NULL;
}

static size_t duration_size(str text)
{
    size_t number = number_size(text);
    if (number == 0 || number + 1 >= text.len || text.ptr[number] != ' ') return 0;
    const struct unit *unit = unit_at(str_slice(text, number + 1, text.len));
    return unit ? number + 1 + strlen(unit->name) : 0;
}

static const struct placeholder {
    const char *mark;
    size_t (*size)(str text);
    bool is_quoted;
} placeholders[] = {
    {"{word}", word_size, false},     {"{name}", name_size, false},
    {"{text}", quoted_size, true},    {"{list}", list_size, false},
    {"{number}", number_size, false}, {"{duration}", duration_size, false},
};

static const struct placeholder *placeholder_at(const char *pattern)
{
    for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++) {
        size_t len = strlen(placeholders[i].mark);
        if (strncmp(pattern, placeholders[i].mark, len) == 0) return &placeholders[i];
    }
    return NULL;
}

bool pattern_matches(const char *pattern, str text, struct match *ret_match)
{
    struct match match = {};
    while (*pattern) {
        const struct placeholder *place = placeholder_at(pattern);
        if (!place) {
            if (text.len == 0 || text.ptr[0] != *pattern) return false;
            text = str_slice(text, 1, text.len);
            pattern++;
            continue;
        }
        size_t size = place->size(text);
        if (size == 0 || match.count == MATCH_ARGUMENTS_MAX) return false;
        str taken = str_slice(text, 0, size);
        if (place->is_quoted) taken = str_slice(taken, 1, size - 1);
        match.arguments[match.count++] = taken;
        text                           = str_slice(text, size, text.len);
        pattern += strlen(place->mark);
    }
    if (text.len > 0) return false;
    *ret_match = match;
    return true;
}

size_t match_list(str list, str *ret_items, size_t capacity)
{
    size_t count = 0;
    while (list.len > 0 && count < capacity) {
        size_t size = quoted_size(list);
        if (size == 0) {
            list = str_slice(list, 1, list.len);
            continue;
        }
        ret_items[count++] = str_slice(list, 1, size - 1);
        list               = str_slice(list, size, list.len);
    }
    return count;
}

uint32_t match_number(str number)
{
    uint32_t value = 0;
    for (size_t i = 0; i < number.len && i < 9; i++) {
        value = value * 10 + (uint32_t)(number.ptr[i] - '0');
    }
    return value;
}

int64_t match_duration_us(str duration)
{
    size_t number = number_size(duration);
    return (int64_t)match_number(str_slice(duration, 0, number)) *
           unit_at(str_slice(duration, number + 1, duration.len))->us;
}
