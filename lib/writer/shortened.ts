/** Files keep little room for their last attributes: the text, its end left out if it is longer than that. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
