Redoc.init(
	'/api/v1/openapi.json',
	{
		disableSearch: true, // it would take a worker made of text
		hideDownloadButton: false,
		downloadFileName: 'openapi.json',
		theme: {
			typography: {
				fontFamily: 'system-ui, sans-serif',
				headings: { fontFamily: 'system-ui, sans-serif' },
			},
		},
	},
	document.getElementById('api'),
);
