#include "daemon/fsm.h"

const char *fsm_state_name(enum fsm_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        FSM_STATES(X)
#undef X
    };
    return state < STATES_N ? names[state] : "?";
}

const char *fsm_event_name(enum fsm_event event)
{
    static const char *const names[] = {
#define X(name, text) text,
        FSM_EVENTS(X)
#undef X
    };
    return event < EVENTS_N ? names[event] : "?";
}
