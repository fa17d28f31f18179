"""What services say of channels and rules, for the catalogues: pages translate it as it comes."""

from __future__ import annotations

from web.text.i18n import N_

SETTINGS = (
    N_("Address"),
    N_("One e-mail address, for example alice@example.org."),
    N_("User or group key"),
    N_("The key of a user or group, 30 letters and digits, from your dashboard."),
    N_("API token"),
    N_("The token of an application, 30 letters and digits."),
    N_("Device"),
    N_("The name of one device; without it, all devices."),
    N_("Server"),
    N_("The address of the ntfy server."),
    N_("Topic"),
    N_(
        "1 to 64 letters, digits, hyphens and underscores. On a public server whoever knows the"
        " topic can read along."
    ),
    N_("Access token"),
    N_("A token that may publish to the topic, where the server asks for one."),
    N_("The address of the Gotify server, for example https://gotify.example.org."),
    N_("Application token"),
    N_("The token of an application."),
    N_("Bot token"),
    N_("The token that @BotFather gave the bot, for example 123456789:AbC...."),
    N_("Chat"),
    N_("The number of a chat, which is negative for groups, or @name of a channel."),
    N_("The number of a topic, in a group that has topics."),
    N_("Webhook URL"),
    N_(
        "The URL of an incoming webhook, https://hooks.slack.com/services/...; whoever knows it can"
        " post."
    ),
    N_(
        "The URL of a channel's webhook, https://discord.com/api/webhooks/...; whoever knows it can"
        " post."
    ),
    N_(
        "The URL of an incoming webhook, https://chat.example.org/hooks/...; whoever knows it can"
        " post."
    ),
    N_("Home server"),
    N_("The address of the home server, for example https://matrix.example.org."),
    N_("Room"),
    N_(
        "The internal ID of the room, which begins with an exclamation mark: !abc:example.org. The"
        " account must have joined it, and it must not be encrypted."
    ),
    N_("The access token of the account."),
    N_("Integration key"),
    N_("The key of an Events API v2 integration, 32 letters and digits."),
    N_("Region"),
    N_("The service region of your account."),
    N_("URL"),
    N_("Where the request goes; {{placeholders}} may stand behind the host."),
    N_("Method"),
    N_("How it is sent; GET has no body."),
    N_("Headers"),
    N_("Further headers, one a line, for example Authorization: Bearer abc."),
    N_("Content type"),
    N_("What the body is; values are escaped as it needs them."),
    N_("Body"),
    N_("The body with {{placeholders}}; without it, everything as JSON."),
    N_("Signing secret"),
    N_("At least 16 characters that the receiver knows too; requests are then signed."),
    N_("Apprise URL"),
    N_("One URL as Apprise describes it, with the tokens in it."),
)
TITLES = (N_("E-mail"),)  # the other kinds are names
SENTENCES = (
    N_("Its settings are none that this version knows: give them anew."),
    N_("Reminders come every 1 to 48 hours."),
    N_("Reminders end after 1 to 30 days."),
    N_("The hour of a digest is 0 to 23."),
    N_("It cannot be reached."),
    N_("The channel was deleted or switched off."),
    N_("Its user was disabled."),
    N_("It was cut off meanwhile."),
)
