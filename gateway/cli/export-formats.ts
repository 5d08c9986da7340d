/** What a session can be exported as; apart from the exporter, which is loaded when it runs. */
export const EXPORT_FORMATS = ['csv', 'parquet', 'ocsf', 'asim', 'har', 'pcapng', 'asciicast', 'asciicast-v2'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]
