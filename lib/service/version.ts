import project from "../../deno.json" with { type: "json" };

/** Version of this std-daq. */
export const VERSION: string = project.version;
