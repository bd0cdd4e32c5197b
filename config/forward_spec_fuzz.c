/* Any text as a forward of each kind: it is refused with a sentence, or prints back to itself. */
#include "config/forward_spec.h"
#include "config/lexer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_kind(enum forward_kind wanted, const char *text)
{
    struct forward_spec spec, again;
    struct forward_fault fault;
    if (forward_spec_parse(wanted, text, &spec, &fault) != OK) {
        CHECK(fault.text[0] != '\0' && fault.column > 0 && fault.column <= strlen(text) + 1);
        return;
    }
    char *printed = forward_spec_print(&spec);
    CHECK(forward_spec_parse(wanted, printed, &again, &fault) == OK);
    CHECK(forward_spec_equal(&spec, &again));
    forward_spec_done(&again);
    mem_free(printed);

    char *config = forward_spec_print_config(&spec);
    struct line line;
    struct lexer_fault lexer_fault;
    CHECK(lexer_split_words(slice_text(config), &line, &lexer_fault) == OK);
    CHECK(line.count == 1 || line.count == 2);
    CHECK(forward_spec_parse_pair(wanted, line.words[0].text,
                                  line.count == 2 ? line.words[1].text : NULL, &again,
                                  &fault) == OK);
    CHECK(forward_spec_equal(&spec, &again));
    forward_spec_done(&again);
    line_done(&line);
    mem_free(config);
    forward_spec_done(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size);
    char *host;
    uint16_t port;
    struct forward_fault fault;
    try_kind(FORWARD_LOCAL, text);
    try_kind(FORWARD_REMOTE, text);
    try_kind(FORWARD_DYNAMIC, text);
    if (forward_spec_parse_target(text, &host, &port, &fault) == OK)
        CHECK(host[0] != '\0' && port > 0);
    mem_free(host);
    mem_free(text);
    return 0;
}
