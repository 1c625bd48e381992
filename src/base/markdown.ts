/** Text as GitHub-flavoured markdown shows it as it is, on one line, in a table's cell too. */
export const escapeMarkdown = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replace(/[\\|`*_~<>[\]]/g, (character) => `\\${character}`)
    .replace(/[\r\n]+/g, ' ');
