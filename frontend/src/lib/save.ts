/** Gives the user a file that the page made. */
export function save(
  content: Blob | string,
  name: string,
  type = "application/octet-stream",
): void {
  const blob = typeof content === "string" ? new Blob([content], { type }) : content;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
