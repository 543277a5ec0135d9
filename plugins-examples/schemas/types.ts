// The requests' bodies as their destinations describe them for TypeScript.

import type { KnownBlock } from "@slack/types";
import type { IncomingWebhookSendArguments } from "@slack/webhook";
import type { RESTPostAPIWebhookWithTokenJSONBody } from "discord-api-types/v10";
import type { CreateCard, UpdateCard } from "trello.js/out/api/parameters/index.js";

// Slack's own type also takes blocks that are not known to it, with anything in them.
export type SlackMessage = Omit<IncomingWebhookSendArguments, "blocks"> & { blocks?: KnownBlock[] };
export type DiscordMessage = RESTPostAPIWebhookWithTokenJSONBody;
export type TrelloCard = CreateCard;
// The card's id stands in the path.
export type TrelloEdit = Omit<UpdateCard, "id">;
